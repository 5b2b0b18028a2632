import fc from "fast-check";
import { expect, test } from "vitest";
import { assignedTopics } from "../../../src/driver/consumers-assignment.js";

const topics = fc.array(fc.tuple(fc.string({ maxLength: 20 }), fc.array(fc.nat(100), { maxLength: 5 })), {
  maxLength: 5,
});

function assignmentOf(all: readonly (readonly [string, readonly number[]])[], ownData: Uint8Array): Buffer {
  const numbers = (values: readonly number[]): Buffer => {
    const bytes = Buffer.alloc(4 * values.length);
    values.forEach((value, index) => bytes.writeInt32BE(value, 4 * index));
    return bytes;
  };
  const parts = all.flatMap(([name, partitions]) => {
    const length = Buffer.alloc(2);
    length.writeInt16BE(Buffer.byteLength(name));
    return [length, Buffer.from(name), numbers([partitions.length, ...partitions])];
  });
  return Buffer.concat([Buffer.from([0, 1]), numbers([all.length]), ...parts, ownData]);
}

test("an assignment of Kafka's consumers tells its topics, with data of the assignor's own or without", () => {
  expect(assignedTopics(Buffer.alloc(0))).toEqual([]);
  fc.assert(
    fc.property(topics, fc.uint8Array(), (all, ownData) => {
      expect(assignedTopics(assignmentOf(all, ownData))).toEqual(
        all.map(([name]) => Buffer.from(name).toString()),
      );
    }),
  );
});

test("one that is cut off is not, wherever that is", () => {
  fc.assert(
    fc.property(topics, fc.nat(), (all, cut) => {
      const whole = assignmentOf(all, new Uint8Array());
      const length = 1 + (cut % (whole.length - 1));
      return assignedTopics(whole.subarray(0, length)) === undefined;
    }),
  );
});

test("counts and lengths that cannot be are refused at once", () => {
  for (const hex of ["0000ffffffff", "00007fffffff", "000000000001ffff", "00000000000100016100000001000000"])
    expect(assignedTopics(Buffer.from(hex, "hex"))).toBeUndefined();
  expect(assignedTopics(Buffer.from("0000000000010001617fffffff", "hex"))).toBeUndefined();
  expect(assignedTopics(Buffer.from("000000000001000161ffffffff", "hex"))).toBeUndefined();
});
