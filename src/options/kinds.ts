import { checkInteger, checkOneOf, checkText, describe, kindOf } from "../check.js";
import { ConfigError } from "../errors.js";
import { checkTopic } from "../given-topic.js";
import type { AnyTopic } from "../topic.js";
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

/** A text that is not empty, and that the native client takes as it is. */
export function text<const Default extends string | undefined = undefined>(
  about: OptionNotes & { readonly default?: Default } = {},
): OptionSpec<string, string | Default> {
  return {
    kind: "text",
    required: false,
    ...about,
    check: (path, given) =>
      checkText(
        path,
        given,
        about.secret === true
          ? (value) => (typeof value === "object" ? "an object" : `a ${typeof value}`)
          : describe,
      ) ?? (about.default as Default),
  };
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
        throw new ConfigError(path, `expected a function, got ${kindOf(given)}`);
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

/** A topic made with `defineTopic`. */
export function topic(about: OptionNotes = {}): OptionSpec<AnyTopic> {
  return {
    kind: "topic",
    required: false,
    ...about,
    check: (path, given) => (given === undefined ? undefined : checkTopic(path, given)),
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

/** What can only be checked together with something else, elsewhere. */
export function unchecked<Value>(
  kind: OptionKind,
  about: OptionNotes & { readonly words?: readonly string[]; readonly default?: Value } = {},
): OptionSpec<Value> {
  return custom<Value>(kind, (_, given) => given as Value | undefined, about);
}

/** The same, but it must be given. */
export function required<Value, Result>(
  spec: OptionSpec<Value, Result>,
  hint?: string,
): OptionSpec<Value, Exclude<Result, undefined>, true> {
  return {
    ...spec,
    required: true,
    check: (path, given) => {
      if (given === undefined)
        throw new ConfigError(path, hint === undefined ? "is required" : `is required: ${hint}`);
      return spec.check(path, given) as Exclude<Result, undefined>;
    },
  };
}
