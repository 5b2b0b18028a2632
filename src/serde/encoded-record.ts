import type { EncodedRecord } from "../record.js";
import type { EncodedHeaders } from "./headers.js";

/** A record of these bytes, as the native client takes it. */
export function encodedRecord(
  key: Buffer | null,
  value: Buffer | null,
  headers: EncodedHeaders,
  partition: number | undefined,
  timestamp: number | undefined,
): EncodedRecord {
  return {
    key: nativeBytes(key),
    value: nativeBytes(value),
    headers: headers.list,
    partition,
    timestamp,
    size: (key === null ? 0 : key.length) + (value === null ? 0 : value.length) + headers.size,
  };
}

/**
 * The native client takes a buffer without memory, as `Buffer.alloc(0)` is, for null: an empty value
 * would be sent as a tombstone, an empty key as none.
 */
function nativeBytes(bytes: Buffer | null): Buffer | null {
  return bytes === null || bytes.length > 0 ? bytes : noBytes;
}

const noBytes = Buffer.allocUnsafeSlow(1).subarray(0, 0);
