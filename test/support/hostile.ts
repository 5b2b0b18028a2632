import fc from "fast-check";
import { afterAll, expect } from "vitest";
import { KafkaError } from "../../src/errors.js";
import type { RawHeaders } from "../../src/record.js";

/** How many times as many inputs as usual: `HOSTILE_FACTOR=100 npx vitest run --project unit test/unit/hostile`. */
const factor = Number(process.env["HOSTILE_FACTOR"] ?? 1);

/** How many inputs a property is tried with. */
export const runs = (usual: number): { readonly numRuns: number } => ({
  numRuns: Math.round(usual * factor),
});

/** Names that mean something to JavaScript. */
export const oddNames = fc.constantFrom(
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "then",
  "length",
  "",
  "\0",
  "\n",
  "0",
);

/** Any JSON, with names that mean something to JavaScript, as text. */
export const anyJson: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    fc.constantFrom(null, true, false, 0, -1, 1e308, -0, 2 ** 53, "", "__proto__"),
    fc.string({ unit: "binary" }),
    fc.array(tie("value"), { maxLength: 4 }),
    fc
      .array(fc.tuple(fc.oneof(oddNames, fc.string()), tie("value")), { maxLength: 4 })
      .map((entries) => ownEntries(entries)),
  ),
})).value;

/** Bytes of nothing, of any text, and of any JSON. */
export const anyBytes: fc.Arbitrary<Buffer> = fc.oneof(
  fc.uint8Array({ maxLength: 60 }).map((given) => Buffer.from(given)),
  fc.string({ unit: "binary" }).map((given) => Buffer.from(given)),
  anyJson.map((given) => Buffer.from(JSON.stringify(given))),
);
/** Headers of any names, the same ones twice among them. */
export const anyHeaders: fc.Arbitrary<RawHeaders> = fc.array(
  fc.tuple(fc.oneof(oddNames, fc.string({ unit: "binary" })), fc.option(anyBytes, { nil: null })),
  { maxLength: 6 },
);

/** Headers as the library writes them, some of which another program has changed, added, left out or moved. */
export const changed = (genuine: RawHeaders): fc.Arbitrary<RawHeaders> => {
  const names = fc.constantFrom(...genuine.map(([name]) => name));
  const numbers = fc.constantFrom(
    "-1",
    "0",
    "1e3",
    "9".repeat(400),
    "NaN",
    "Infinity",
    "0x10",
    "9007199254740993",
    " 1",
    "",
    "১",
  );
  const header = fc.tuple(
    fc.oneof(names, oddNames),
    fc.oneof(
      fc.constant(null),
      anyBytes,
      numbers.map((text) => Buffer.from(text)),
      fc.constant(Buffer.alloc(5_000, 0x39)),
    ),
  );
  return fc
    .tuple(
      fc.shuffledSubarray([...genuine], { minLength: genuine.length - 1 }),
      fc.array(header, { maxLength: 3 }),
      fc.boolean(),
    )
    .map(([kept, added, isShuffled]) => [...(isShuffled ? kept : genuine), ...added]);
};

/** As `JSON.parse` makes objects: `__proto__` is a name like others. */
export function ownEntries(entries: readonly (readonly [string, unknown])[]): object {
  const object = {};
  for (const [name, value] of entries)
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
  return object;
}

/** Fails the file if something of it added to what all objects inherit. To be called once in a file. */
export function watchPrototypes(): void {
  const prototypes = [Object.prototype, Array.prototype, Function.prototype, Buffer.prototype] as object[];
  const names = (): string[] =>
    prototypes.flatMap((prototype) => Reflect.ownKeys(prototype).map(String)).sort();
  const before = names();
  afterAll(() => {
    expect(names()).toEqual(before);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
}

/** What became of a call, within the time: a value, or a typed error. Fails on any other error. */
export async function valueOrKafkaError(
  work: () => unknown,
  limitMs = 30_000,
): Promise<{ readonly value?: unknown; readonly error?: KafkaError }> {
  const began = performance.now();
  let outcome: { readonly value?: unknown; readonly error?: KafkaError };
  try {
    outcome = { value: await work() };
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error;
    outcome = { error };
  }
  expect(performance.now() - began).toBeLessThan(limitMs);
  return outcome;
}
