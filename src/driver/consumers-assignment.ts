/** The version, and a count of topics. */
const headBytes = 6;

/**
 * The topics of an assignment of Kafka's consumers (its ConsumerProtocolAssignment): `version, [topic, [partition]], …`;
 * `undefined` where these bytes are none. Empty ones are of members that have none yet. What follows is the assignor's
 * own. Pure.
 */
export function assignedTopics(bytes: Buffer): readonly string[] | undefined {
  if (bytes.length === 0) return [];
  if (bytes.length < headBytes) return undefined;
  const count = bytes.readInt32BE(2);
  if (count < 0 || count > bytes.length) return undefined;
  const topics: string[] = [];
  let at = headBytes;
  while (topics.length < count) {
    if (at + 2 > bytes.length) return undefined;
    const nameAt = at + 2;
    const nameLength = bytes.readInt16BE(at);
    at = nameAt + nameLength;
    if (nameLength < 0 || at + 4 > bytes.length) return undefined;
    topics.push(bytes.toString("utf8", nameAt, at));
    const partitions = bytes.readInt32BE(at);
    at += 4 + 4 * partitions;
    if (partitions < 0 || at > bytes.length) return undefined;
  }
  return topics;
}
