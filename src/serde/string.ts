import { describeValue, SerdeFailure } from "./failure.js";
import type { Serde } from "./serde.js";
import { decodeUtf8, hasUtf8 } from "./utf8.js";

/**
 * Strings as UTF-8, strictly: bytes that are not UTF-8 are an error, not replacement characters, and
 * so is a string that holds half of a surrogate pair. Kafka: `StringSerializer`.
 */
export function string(): Serde<string> {
  return serde;
}

const serde: Serde<string> = Object.freeze({
  serialize: (value: string) => {
    if (typeof value !== "string") throw new SerdeFailure(`expected a string, got ${describeValue(value)}`);
    if (!hasUtf8(value))
      throw new SerdeFailure("the string holds half of a surrogate pair, which is no UTF-8");
    return Buffer.from(value);
  },
  deserialize: decodeUtf8,
});
