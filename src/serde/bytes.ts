import { describeValue, SerdeFailure } from "./failure.js";
import type { Serde } from "./serde.js";

/** Bytes as they are, neither copied nor looked at. Kafka: `ByteArraySerializer`. */
export function bytes(): Serde<Buffer> {
  return serde;
}

const serde: Serde<Buffer> = Object.freeze({
  serialize: (value: Buffer) => {
    if (!Buffer.isBuffer(value)) throw new SerdeFailure(`expected a Buffer, got ${describeValue(value)}`);
    return value;
  },
  deserialize: (value: Buffer) => value,
});
