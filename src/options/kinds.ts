import { checkInteger, checkOneOf, checkRequiredText, checkText, describe } from "../check.js";
import { ConfigError } from "../errors.js";
import { checkOptions } from "./check-options.js";
import type { Checked, DeclaredOptions, OptionKind, OptionNotes, OptionSpec, OptionSpecs } from "./spec.js";

interface Bounds extends OptionNotes {
  readonly min: number;
  readonly max: number;
}

/** A whole number within bounds. */
export function integer<const Default extends number | undefined = undefined>(
  about: Bounds & { readonly default?: Default },
): OptionSpec<number, number | Default> {
  return {
    kind: "integer",
    required: false,
    ...about,
    check: (path, given) =>
      given === undefined ? (about.default as Default) : checkInteger(path, given, about),
  };
}

/** A number within bounds, whole or not. */
export function number(about: Bounds & { readonly default: number }): OptionSpec<number, number> {
  const { min, max } = about;
  return {
    kind: "number",
    required: false,
    ...about,
    check: (path, given) => {
      if (given === undefined) return about.default;
      if (typeof given !== "number" || !(given >= min && given <= max))
        throw new ConfigError(path, `expected a number from ${min} to ${max}, got ${describe(given)}`);
      return given;
    },
  };
}

/** A text that is not empty. */
export function text<const Default extends string | undefined = undefined>(
  about: OptionNotes & { readonly default?: Default } = {},
): OptionSpec<string, string | Default> {
  return {
    kind: "text",
    required: false,
    ...about,
    check: (path, given) => checkText(path, given) ?? (about.default as Default),
  };
}

/** A text that is not empty and must be given. */
export function requiredText(about: OptionNotes = {}): OptionSpec<string, string, true> {
  return { kind: "text", required: true, ...about, check: checkRequiredText };
}

/** One of several words. */
export function choice<const Word extends string, const Default extends Word | undefined = undefined>(
  words: readonly Word[],
  about: OptionNotes & { readonly default?: Default } = {},
): OptionSpec<Word, Word | Default> {
  return {
    kind: "choice",
    required: false,
    words,
    ...about,
    check: (path, given) =>
      given === undefined ? (about.default as Default) : checkOneOf(path, given, words),
  };
}

/** True or false. */
export function flag(about: OptionNotes & { readonly default: boolean }): OptionSpec<boolean, boolean> {
  return {
    kind: "flag",
    required: false,
    ...about,
    check: (path, given = about.default) => {
      if (typeof given !== "boolean")
        throw new ConfigError(path, `expected true or false, got ${describe(given)}`);
      return given;
    },
  };
}

/** A function. */
export function callback<Function extends (...given: never) => unknown>(
  about: OptionNotes = {},
): OptionSpec<Function> {
  return {
    kind: "function",
    required: false,
    ...about,
    check: (path, given) => {
      if (given !== undefined && typeof given !== "function")
        throw new ConfigError(path, `expected a function, got ${describe(given)}`);
      return given as Function | undefined;
    },
  };
}

/** What ends a call when it aborts. */
export function signal(about: OptionNotes = {}): OptionSpec<AbortSignal> {
  return {
    kind: "signal",
    required: false,
    ...about,
    check: (path, given) => {
      if (given !== undefined && !(given instanceof AbortSignal))
        throw new ConfigError(path, `expected an AbortSignal, got ${describe(given)}`);
      return given;
    },
  };
}

/** An object of options of its own: `nested<SomeOptions>()(specs)`. */
export function nested<Options>() {
  return <const Specs extends OptionSpecs<Options> & DeclaredOptions>(
    specs: Specs,
    about: OptionNotes = {},
  ): OptionSpec<Options, Checked<Specs> | undefined> => ({
    kind: "object",
    required: false,
    options: specs,
    ...about,
    check: (path, given) => (given === undefined ? undefined : checkOptions(path, given, specs, `${path}.`)),
  });
}

/** What has a check of its own; it gives the default too. */
export function custom<Value, Result = Value | undefined>(
  kind: OptionKind,
  check: (path: string, given: unknown) => Result,
  about: OptionNotes & { readonly words?: readonly string[]; readonly default?: Value } = {},
): OptionSpec<Value, Result> {
  return { kind, required: false, ...about, check };
}

/** What must be given, and has a check of its own. */
export function requiredCustom<Value, Result = Value>(
  kind: OptionKind,
  check: (path: string, given: unknown) => Result,
  about: OptionNotes & { readonly words?: readonly string[] } = {},
): OptionSpec<Value, Result, true> {
  return { kind, required: true, ...about, check };
}
