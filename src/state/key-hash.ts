import { randomBytes } from "node:crypto";
import type { Span } from "../record.js";

/** Differs from process to process, so that nobody can choose keys that all meet in one slot. */
const seed = randomBytes(4).readUInt32LE(0);

/** FNV-1a over the characters, and MurmurHash3's last steps, which spread what FNV leaves together. */
export function hashOf(id: string): number {
  let hash = seed;
  for (let index = 0; index < id.length; index += 1)
    hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193);
  return spread(hash);
}

/** The hash of the id of these bytes. */
export function hashOfBytes({ bytes, start, end }: Span): number {
  let hash = seed;
  for (let index = start; index < end; index += 1) hash = Math.imul(hash ^ (bytes[index] ?? 0), 0x01000193);
  return spread(hash);
}

/** Another hash, of one. */
export function spread(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
