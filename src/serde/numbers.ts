import { describeValue, SerdeFailure } from "./failure.js";
import type { Serde } from "./serde.js";

/**
 * Whole numbers from -2,147,483,648 to 2,147,483,647 as 4 bytes, big-endian.
 * Kafka: `IntegerSerializer`.
 */
export function integer(): Serde<number> {
  return integerSerde;
}

/**
 * Whole numbers from -9,223,372,036,854,775,808 to 9,223,372,036,854,775,807 as 8 bytes, big-endian: a `bigint`,
 * because JavaScript's numbers hold integers only up to 2^53. Kafka: `LongSerializer`.
 */
export function long(): Serde<bigint> {
  return longSerde;
}

/**
 * Numbers as 8 bytes, IEEE 754 big-endian: every JavaScript number, infinities and NaN among them.
 * Kafka: `DoubleSerializer`.
 */
export function double(): Serde<number> {
  return doubleSerde;
}

const integerSerde: Serde<number> = Object.freeze({
  serialize: (value: number) => {
    if (!Number.isInteger(value) || (value | 0) !== value) {
      throw new SerdeFailure(
        `expected a whole number from -2147483648 to 2147483647, got ${describeValue(value)}`,
      );
    }
    const bytes = Buffer.allocUnsafe(4);
    bytes.writeInt32BE(value);
    return bytes;
  },
  deserialize: (bytes: Buffer) => {
    expectLength(bytes, 4, "an integer");
    return bytes.readInt32BE();
  },
});

const longSerde: Serde<bigint> = Object.freeze({
  serialize: (value: bigint) => {
    if (typeof value !== "bigint" || BigInt.asIntN(64, value) !== value) {
      const got = typeof value === "bigint" ? `${value}n` : describeValue(value);
      throw new SerdeFailure(
        `expected a bigint from -9223372036854775808n to 9223372036854775807n, got ${got}`,
      );
    }
    const bytes = Buffer.allocUnsafe(8);
    bytes.writeBigInt64BE(value);
    return bytes;
  },
  deserialize: (bytes: Buffer) => {
    expectLength(bytes, 8, "a long");
    return bytes.readBigInt64BE();
  },
});

const doubleSerde: Serde<number> = Object.freeze({
  serialize: (value: number) => {
    if (typeof value !== "number") throw new SerdeFailure(`expected a number, got ${describeValue(value)}`);
    const bytes = Buffer.allocUnsafe(8);
    bytes.writeDoubleBE(value);
    return bytes;
  },
  deserialize: (bytes: Buffer) => {
    expectLength(bytes, 8, "a double");
    return bytes.readDoubleBE();
  },
});

function expectLength(bytes: Buffer, length: number, what: string): void {
  if (bytes.length !== length) {
    throw new SerdeFailure(`${what} is ${String(length)} bytes, these are ${String(bytes.length)}`);
  }
}
