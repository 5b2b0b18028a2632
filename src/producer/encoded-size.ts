import { KafkaError } from "../errors.js";
import type { EncodedRecord } from "../record.js";

/** librdkafka counts at most so much of framing beside a record's key, value and headers, and so much for each header. */
const recordOverheadBytes = 36;
const headerOverheadBytes = 10;

/** The native client's own check, made for every record of a call before the first is sent. */
export function checkSizes(topic: string, records: readonly EncodedRecord[], maxRecordBytes: number): void {
  for (let index = 0; index < records.length; index += 1) {
    const record = records[index];
    if (record === undefined) continue;
    const size = record.size + recordOverheadBytes + (record.headers?.length ?? 0) * headerOverheadBytes;
    if (size <= maxRecordBytes) continue;
    const which = records.length === 1 ? "the record" : `record ${index}`;
    throw new KafkaError(
      "RECORD_TOO_LARGE",
      `send to ${topic}: ${which} has ${size} bytes with its framing, of maxRecordBytes ${maxRecordBytes}; nothing of the call was sent`,
      { topic },
    );
  }
}
