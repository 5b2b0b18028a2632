/**
 * Kafka's hash of keys, written again from Java's `Utils.murmur2` to check the library's partitions against.
 * A signed 32-bit integer, as Java gives it.
 */
export function murmur2(bytes: Buffer): number {
  const mix = 0x5bd1e995;
  let hash = 0x9747b28c ^ bytes.length;
  const whole = bytes.length - (bytes.length % 4);
  for (let at = 0; at < whole; at += 4) {
    let word = Math.imul(bytes.readInt32LE(at), mix);
    word = Math.imul(word ^ (word >>> 24), mix);
    hash = Math.imul(hash, mix) ^ word;
  }
  const rest = bytes.subarray(whole);
  if (rest.length > 0) {
    for (const [place, byte] of rest.entries()) hash ^= byte << (8 * place);
    hash = Math.imul(hash, mix);
  }
  hash = Math.imul(hash ^ (hash >>> 13), mix);
  return hash ^ (hash >>> 15);
}

/** The partition that Java's default partitioner chooses for a key. */
export const javaPartition = (key: string, partitions: number): number =>
  (murmur2(Buffer.from(key)) & 0x7fffffff) % partitions;
