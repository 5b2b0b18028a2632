import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formOf, JsonForms, Scalars, type Slices } from "../../../src/driver/fast/json-forms.js";

/** What `native/form.cc` gives for a text: each scalar as JSON text, the only kind that needs no looking at. */
function scalarsOf(pieces: readonly string[], text: string, number = 0): Scalars | undefined {
  const bytes = Buffer.from(text) as Slices;
  const ints = [number];
  let at = 0;
  for (const [index, piece] of pieces.entries()) {
    if (!text.startsWith(piece, at)) return undefined;
    at += piece.length;
    if (index === pieces.length - 1) continue;
    const [word] = /^(?:"(?:[^"\\]|\\.)*"|[^\s,:{}[\]"]+)/.exec(text.slice(at)) ?? [];
    if (word === undefined) return undefined;
    ints.push(Buffer.byteLength(text.slice(0, at)), (Buffer.byteLength(word) << 4) | 8);
    at += word.length;
  }
  return at === text.length ? new Scalars(Int32Array.from(ints), bytes, 0) : undefined;
}

const value = fc.jsonValue({ maxDepth: 3 });
const text = fc
  .tuple(value, fc.constantFrom("", " ", "\t\n"))
  .map(([json, indent]) => JSON.stringify(json, null, indent));

describe("the form of a JSON text", () => {
  test("gives the value again, whatever the text", () => {
    let formed = 0;
    fc.assert(
      fc.property(text, (json) => {
        const form = formOf(json);
        if (form === undefined) return;
        formed += 1;
        const scalars = scalarsOf(form.pieces, json);
        expect(scalars?.valueAt(0, form.shape, 0, 0)).toEqual(JSON.parse(json));
      }),
      { numRuns: 500 },
    );
    expect(formed).toBeGreaterThan(100);
  });

  test.each(['{"a\\u0062":1,"\\"":2}', '{"é":"ü"}', '{"a":"\\u0041\\"","b":[1,[true]]}'])(
    "gives the value of %s",
    (json) => {
      const form = formOf(json);
      expect(form && scalarsOf(form.pieces, json)?.valueAt(0, form.shape, 0, 0)).toEqual(JSON.parse(json));
    },
  );

  test("keeps the order of keys, repeated ones and numbers among them, as JSON.parse does", () => {
    const json = '{"b":1,"2":2,"a":{"x":null},"1":3,"b":4}';
    const form = formOf(json);
    const again = form && scalarsOf(form.pieces, json)?.valueAt(0, form.shape, 0, 0);
    expect(JSON.stringify(again)).toBe(JSON.stringify(JSON.parse(json)));
  });

  test.each([
    ["the prototype", '{"__proto__":{"a":1}}'],
    ["a scalar alone", '"abc"'],
    ["no scalar", '{"a":[],"b":{}}'],
    ["too many scalars", JSON.stringify(Array.from({ length: 201 }, () => 1))],
    ["too much depth", `${"[".repeat(11)}1${"]".repeat(11)}`],
  ])("is not there for %s", (_, json) => {
    expect(formOf(json)).toBeUndefined();
  });
});

describe("forms of a partition", () => {
  const told: (readonly [number, readonly string[]])[] = [];
  const open = (): JsonForms => {
    told.length = 0;
    return new JsonForms((number, pieces) => told.push([number, pieces]));
  };

  test("are learned from the first value, and again where many have another", () => {
    const forms = open();
    forms.parsed('{"a":1}', false);
    for (let count = 0; count < 1_000; count += 1) forms.parsed('{"b":1}', false);
    expect(told).toEqual([[0, ['{"a":', "}"]]]);
    for (let count = 0; count < 100; count += 1) forms.parsed('{"b":1}', true);
    expect(told.slice(1)).toEqual([[1, ['{"b":', "}"]]]);
  });

  test("are learned although those before had none", () => {
    const forms = open();
    for (let count = 0; count < 1_000; count += 1) forms.parsed("{}", false);
    expect(told).toEqual([]);
    for (let count = 0; count < 100; count += 1) forms.parsed('{"a":1}', false);
    expect(told).toEqual([[0, ['{"a":', "}"]]]);
  });

  test("are looked for no more where none fits", () => {
    const forms = open();
    for (let count = 0; count < 10_000; count += 1) forms.parsed(`{"a${count}":1}`, true);
    expect(told).toHaveLength(16);
    expect(told.at(-1)).toEqual([0, []]);
  });

  test("that do fit are worth other tries later", () => {
    const forms = open();
    for (let round = 0; round < 50; round += 1) {
      const json = `{"a${round}":1}`;
      for (let count = 0; told.length === round && count < 5_000; count += 1) forms.parsed(json, true);
      const [number, pieces] = told.at(-1) ?? [0, []];
      const scalars = scalarsOf(pieces, json, number);
      if (scalars === undefined) throw new Error("the newest form is not that of the newest values");
      for (let count = 0; count < 3_000; count += 1) forms.read(scalars, 0, 0, 0);
      expect(forms.read(scalars, 0, 0, 0)).toEqual({ [`a${round}`]: 1 });
    }
    expect(told).toHaveLength(50);
  });

  test("that are not known any more, or whose scalar is no JSON, leave the value to the parser", () => {
    const forms = open();
    forms.parsed('{"a":1}', false);
    const pieces = told[0]?.[1] ?? [];
    const known = scalarsOf(pieces, '{"a":2}');
    const wrong = scalarsOf(pieces, '{"a":-}');
    const unknown = scalarsOf(pieces, '{"a":2}', 7);
    if (!known || !wrong || !unknown) throw new Error("they have the form");
    expect(forms.read(known, 0, 0, 0)).toEqual({ a: 2 });
    expect(forms.read(wrong, 0, 0, 0)).toBeUndefined();
    expect(forms.read(unknown, 0, 0, 0)).toBeUndefined();
  });
});
