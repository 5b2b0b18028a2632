import { expectTypeOf, test } from "vitest";
import { checkOptions } from "../../src/options/check-options.js";
import { choice, custom, flag, integer, nested, required, text } from "../../src/options/kinds.js";
import type { OptionSpecs } from "../../src/options/spec.js";

interface Options {
  readonly name: string;
  readonly mode?: "fast" | "safe" | undefined;
  readonly limit?: number | undefined;
}

const name = required(text());
const mode = choice(["fast", "safe"], { default: "safe" });
const limit = integer({ min: 1, max: 10 });

test("specs give the types of checked options: what has a default is never undefined", () => {
  const specs = { name, mode, limit } satisfies OptionSpecs<Options>;
  expectTypeOf(checkOptions("Options", {}, specs)).toEqualTypeOf<{
    readonly name: string;
    readonly mode: "fast" | "safe";
    readonly limit: number | undefined;
  }>();
});

test("an option without a spec does not compile", () => {
  // @ts-expect-error limit is missing
  void ({ name, mode } satisfies OptionSpecs<Options>);
});

test("a spec without an option does not compile", () => {
  // @ts-expect-error there is no such option
  void ({ name, mode, limit, other: limit } satisfies OptionSpecs<Options>);
});

test("a spec of another type does not compile", () => {
  // @ts-expect-error a text is no number
  void ({ name, mode, limit: text() } satisfies OptionSpecs<Options>);
});

test("a word that is missing, and one too many, do not compile", () => {
  // @ts-expect-error "fast" is missing
  void ({ name, limit, mode: choice(["safe"]) } satisfies OptionSpecs<Options>);
  // @ts-expect-error "slow" is none
  void ({ name, limit, mode: choice(["fast", "safe", "slow"]) } satisfies OptionSpecs<Options>);
});

test("an option that must be given has a spec that says so, and no other has", () => {
  // @ts-expect-error name must be given
  void ({ name: text(), mode, limit } satisfies OptionSpecs<Options>);
  // @ts-expect-error it need not be given
  void ({ name: required(text()) } satisfies OptionSpecs<{ readonly name?: string | undefined }>);
});

test("options within options are complete too", () => {
  interface Outer {
    readonly inner?: Options | undefined;
  }
  void ({ inner: nested<Options>()({ name, mode, limit }) } satisfies OptionSpecs<Outer>);
  // @ts-expect-error limit is missing
  void ({ inner: nested<Options>()({ name, mode }) } satisfies OptionSpecs<Outer>);
});

test("a check of its own gives what it makes of the value", () => {
  const specs = {
    at: custom<Date, number>("position", (_, given) => (given as Date).getTime()),
    isOn: flag({ default: true }),
  };
  expectTypeOf(checkOptions("Options", {}, specs)).toEqualTypeOf<{
    readonly at: number;
    readonly isOn: boolean;
  }>();
});
