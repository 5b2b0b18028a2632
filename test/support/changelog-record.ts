import type { RawRecord } from "../../src/record.js";
import type { Write } from "../../src/state/write.js";

/** A write as a record of the changelog, `inBlock` among the bytes of others, as the fast path gives it. */
export function changelogRecord({ key, value, timestamp }: Write, inBlock: boolean): RawRecord {
  const own = {
    key,
    value,
    timestamp,
    topic: "changelog",
    partition: 0,
    offset: 0,
    size: value?.length ?? 0,
  };
  if (!inBlock) return own;
  const bytes = Buffer.concat([Buffer.from("before"), key, value ?? Buffer.alloc(0), Buffer.from("behind")]);
  const valueStart = 6 + key.length;
  return {
    ...own,
    keySize: key.length,
    locate: (keySpan, valueSpan) => {
      Object.assign(keySpan, { bytes, start: 6, end: valueStart });
      Object.assign(valueSpan, { bytes, start: valueStart, end: valueStart + (value?.length ?? -1) });
    },
  };
}
