import { expect, test } from "vitest";
import { addingHeaders } from "../../../src/serde/added-headers.js";
import { createEncoder } from "../../../src/serde/encoder.js";
import { encodeHeaders } from "../../../src/serde/headers.js";
import type { Serde } from "../../../src/serde/serde.js";
import { string } from "../../../src/serde/string.js";
import { defineTopic } from "../../../src/topic.js";

const texts = createEncoder(defineTopic("t", { value: string() }));
const added = encodeHeaders({ trace: "1", state: "2" }, true);

test("they come behind the record's own, and count for its size", async () => {
  const later: Serde<string> = {
    serialize: (text) => Promise.resolve(Buffer.from(text)),
    deserialize: String,
  };
  for (const encode of [texts, createEncoder(defineTopic("t", { value: later }))]) {
    const adding = addingHeaders(encode, added);
    expect(await adding({ value: "abc", headers: { a: "b" } }, undefined)).toMatchObject({
      headers: [{ a: "b" }, { trace: "1" }, { state: "2" }],
      size: 3 + 2 + 6 + 6,
    });
    expect(await adding({ value: "abc" }, undefined)).toMatchObject({
      headers: [{ trace: "1" }, { state: "2" }],
      size: 3 + 6 + 6,
    });
  }
});

test("a record that has one of them gets none of them", () => {
  expect(addingHeaders(texts, added)({ value: "abc", headers: { state: "mine" } }, undefined)).toMatchObject({
    headers: [{ state: "mine" }],
    size: 3 + 9,
  });
});

test("where there are none the encoder stays the one that it is", () => {
  expect(addingHeaders(texts, undefined)).toBe(texts);
  expect(addingHeaders(texts, encodeHeaders({}, true))).toBe(texts);
});
