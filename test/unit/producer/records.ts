import type { EncodedRecord } from "../../../src/record.js";

/** A small record of bytes. */
export function encodedRecord(value = "v"): EncodedRecord {
  return {
    key: null,
    value: Buffer.from(value),
    headers: undefined,
    partition: undefined,
    timestamp: undefined,
    size: value.length,
  };
}
