/** The version, and a count of topics. */
const headBytes = 6;

/**
 * Whether these bytes are an assignment of Kafka's consumers (its ConsumerProtocolAssignment): `version, [topic,
 * [partition]], …`. Empty ones are of members that have none yet. What follows is the assignor's own. Pure.
 */
export function isConsumersAssignment(bytes: Buffer): boolean {
  if (bytes.length === 0) return true;
  if (bytes.length < headBytes) return false;
  const topics = bytes.readInt32BE(2);
  if (topics < 0 || topics > bytes.length) return false;
  let at = headBytes;
  for (let topic = 0; topic < topics; topic += 1) {
    if (at + 2 > bytes.length) return false;
    const nameLength = bytes.readInt16BE(at);
    at += 2 + nameLength;
    if (nameLength < 0 || at + 4 > bytes.length) return false;
    const partitions = bytes.readInt32BE(at);
    at += 4 + 4 * partitions;
    if (partitions < 0 || at > bytes.length) return false;
  }
  return true;
}
