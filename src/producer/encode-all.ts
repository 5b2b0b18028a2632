import type { EncodedRecord } from "../record.js";
import type { Encoder } from "../serde/encoder.js";
import type { AnyTopic, ProducerRecord } from "../topic.js";
import { ignoreRejection } from "../waiting.js";

/** All records as bytes, or the error of the first that is wrong; a promise only where a serde gives one. */
export function encodeAll(
  inputs: readonly ProducerRecord<AnyTopic>[],
  encode: Encoder,
): readonly EncodedRecord[] | Promise<readonly EncodedRecord[]> {
  const records: (EncodedRecord | Promise<EncodedRecord>)[] = [];
  let isLater = false;
  try {
    for (const input of inputs) {
      const record = encode(input, records.length);
      isLater ||= record instanceof Promise;
      records.push(record);
    }
  } catch (error) {
    // Nobody will ask for those that were begun.
    records.forEach(ignoreRejection);
    throw error;
  }
  return isLater
    ? Promise.all(records.map((record) => Promise.resolve(record)))
    : (records as EncodedRecord[]);
}
