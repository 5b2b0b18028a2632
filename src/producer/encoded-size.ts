import { KafkaError } from "../errors.js";
import type { EncodedPart, EncodedRecord } from "../record.js";

/** librdkafka counts at most so much of framing beside a record's key, value and headers, and so much for each header. */
const recordOverheadBytes = 36;
const headerOverheadBytes = 10;
/** A character of a text takes at most so many bytes. */
const mostBytesOfCharacter = 3;

/**
 * The native client's own check, made for every record of a call before the first is sent.
 *
 * @throws `KafkaError` with the code `RECORD_TOO_LARGE`
 */
export function checkSizes(topic: string, records: readonly EncodedRecord[], maxRecordBytes: number): void {
  for (let index = 0; index < records.length; index += 1) {
    const record = records[index];
    if (record !== undefined)
      checkSize(topic, record, maxRecordBytes, records.length === 1 ? undefined : index);
  }
}

/**
 * {@link checkSizes} of one record.
 *
 * @param index - its position in the call, for the error; `undefined` where it is alone
 */
export function checkSize(
  topic: string,
  record: EncodedRecord,
  maxRecordBytes: number,
  index?: number,
): void {
  const overhead = recordOverheadBytes + (record.headers?.length ?? 0) * headerOverheadBytes;
  // Counting the bytes of each text would cost as much as writing it.
  if (record.size * mostBytesOfCharacter + overhead <= maxRecordBytes) return;
  const size = record.size + moreBytes(record.key) + moreBytes(record.value) + overhead;
  if (size <= maxRecordBytes) return;
  const which = index === undefined ? "the record" : `record ${index}`;
  throw new KafkaError(
    "RECORD_TOO_LARGE",
    `send to ${topic}: ${which} has ${size} bytes with its framing, of maxRecordBytes ${maxRecordBytes}; nothing of the call was sent`,
    { topic },
  );
}

/** How many more bytes than characters a part has. */
function moreBytes(part: EncodedPart): number {
  return typeof part === "string" ? Buffer.byteLength(part) - part.length : 0;
}
