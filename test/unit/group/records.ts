import type { RawRecord } from "../../../src/record.js";

/** A record as the native client gives it. */
export function rawRecord(offset: number, options: Partial<RawRecord> = {}): RawRecord {
  const value = Buffer.from("x");
  return {
    topic: "topic",
    partition: 0,
    offset,
    timestamp: 1,
    key: null,
    value,
    size: value.length,
    ...options,
  };
}

export function rawRecords(count: number, from = 0): RawRecord[] {
  return Array.from({ length: count }, (_, index) => rawRecord(from + index));
}
