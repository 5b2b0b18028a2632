import { type EncodedPart, type EncodedRecord, nativeBytes } from "../record.js";
import type { EncodedHeaders } from "./headers.js";

/** A record of these parts, as the native client takes it. */
export function encodedRecord(
  key: EncodedPart,
  value: EncodedPart,
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
