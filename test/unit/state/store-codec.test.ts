import fc from "fast-check";
import { expect, test } from "vitest";
import { SerializationError } from "../../../src/errors.js";
import { integer } from "../../../src/serde/numbers.js";
import { string } from "../../../src/serde/string.js";
import { StoreCodec } from "../../../src/state/store-codec.js";
import { defineStore } from "../../../src/state/store-definition.js";
import { idOf, keyOfId } from "../../../src/state/write.js";

const codecOf = (key: Parameters<typeof defineStore>[1]["key"]): StoreCodec =>
  new StoreCodec(defineStore("counts", { value: integer(), key }), "changelog", 0);

test("the id of a key is that of its bytes, whether they are made for it or not", () => {
  const codec = codecOf(string());
  fc.assert(
    fc.property(
      fc.string({ unit: fc.oneof(fc.constantFrom("a", "\x7f", "\x80", "é", "€", "😀"), fc.string()) }),
      (key) => {
        expect(codec.idOf(key)).toBe(idOf(Buffer.from(key)));
        expect(keyOfId(codec.idOf(key))).toEqual(Buffer.from(key));
      },
    ),
    { numRuns: 300 },
  );
});

test("a serde of one's own says what the bytes of a text are", () => {
  const hex = {
    serialize: (text: string) => Buffer.from(text, "hex"),
    deserialize: (bytes: Buffer) => bytes.toString("hex"),
  };
  expect(codecOf(hex).idOf("4142")).toBe("AB");
});

test.each(["\ud800", 7, null, undefined])("%j is no key of texts", (key) => {
  expect(() => codecOf(string()).idOf(key)).toThrow(SerializationError);
});
