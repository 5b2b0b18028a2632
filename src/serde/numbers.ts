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
