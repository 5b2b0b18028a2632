import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeIndexes, readId, readIndexes, writeHeader } from "../../../src/schema-registry/wire-format.js";

const headed = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from([0, 0, 0, 0, 7]), bytes]);

describe("the header", () => {
  test("is the magic byte 0 and the id, big-endian", () => {
    expect(readId(Buffer.from("0000000102", "hex"))).toBe(258);
    expect(readId(Buffer.from("007fffffffaa", "hex"))).toBe(2_147_483_647);
    const written = Buffer.alloc(6, 0xaa);
    writeHeader(written, 258);
    expect(written.toString("hex")).toBe("0000000102aa");
  });

  test.each([
    ["no bytes", "", /do not begin with 0 and a schema id/],
    ["too few", "00000001", /do not begin with 0/],
    ["JSON", Buffer.from('{"id":1}').toString("hex"), /do not begin with 0/],
    ["a GUID", `01${"ab".repeat(16)}ff`, /GUID/],
  ])("is not there: %s", (_, hex, message) => {
    expect(() => readId(Buffer.from(hex, "hex"))).toThrow(message);
  });
});

describe("message indexes", () => {
  test.each([
    ["the first message", [0], "00"],
    ["the second one", [1], "0202"],
    ["the first inside the second", [1, 0], "040200"],
    ["one far down", [300, 64], "04d8048001"],
  ])("of %s are zigzag varints", (_, indexes, hex) => {
    expect(encodeIndexes(indexes).toString("hex")).toBe(hex);
    expect(readIndexes(headed(Buffer.from(`${hex}0a`, "hex")))).toEqual({
      indexes,
      bodyAt: 5 + hex.length / 2,
    });
  });

  test("come back as they went, whatever they are", () => {
    const indexes = fc.array(fc.nat({ max: 100_000 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(indexes, (path) => {
        expect(readIndexes(headed(encodeIndexes(path))).indexes).toEqual(path);
      }),
    );
  });

  test.each([
    ["nothing", ""],
    ["a negative number", "01"],
    ["fewer than there should be", "0402"],
    ["an endless varint", "ffffffffffffffff"],
    ["far too many", "feffffff0f"],
  ])("are refused: %s", (_, hex) => {
    expect(() => readIndexes(headed(Buffer.from(hex, "hex")))).toThrow(/indexes are/);
  });
});
