import type { Span } from "../record.js";
import type { Entry } from "./write.js";

/** In front of a value on disk: the slot (4 bytes), and the timestamp (8 bytes). */
const headerBytes = 12;

/** The bytes on disk of an entry in this slot. */
export function entryBytes(slot: number, timestamp: number, { bytes, start, end }: Span): Buffer {
  const entry = Buffer.allocUnsafe(headerBytes + end - start);
  entry.writeUInt32BE(slot, 0);
  entry.writeDoubleBE(timestamp, 4);
  bytes.copy(entry, headerBytes, start, end);
  return entry;
}

export function slotOf(entry: Buffer): number {
  return entry.readUInt32BE(0);
}

export function timestampOf(entry: Buffer): number {
  return entry.readDoubleBE(4);
}

/** With a value of its own. */
export function entryOf(key: Buffer, bytes: Buffer): Entry {
  return { key, value: Buffer.from(bytes.subarray(headerBytes)), timestamp: timestampOf(bytes) };
}
