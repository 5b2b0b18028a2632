import type { StandardSchemaV1 } from "@standard-schema/spec";
import { InvalidRecordError, KafkaError } from "../errors.js";
import type { ConsumerRecord, RawHeaders, RawRecord } from "../record.js";
import type { AnyTopic, RecordOf } from "../topic.js";
import { ignoreRejection } from "../waiting.js";
import { causeOf, describeFailure, issuesOf, SerdeFailure } from "./failure.js";
import { decodeHeaders, rawHeadersOf } from "./headers.js";
import { parseJson } from "./json-text.js";
import { schemaCodec, valueOf } from "./schema.js";
import { type AnySerde, jsonReaderOf, type SerdeContext, textReaderOf } from "./serde.js";

/**
 * Turns a record as the native client gives it into one of the topic's. Gives a promise only where
 * a serde or a schema does.
 *
 * @throws `InvalidRecordError` (or rejects with it), which holds the raw bytes; a `KafkaError` of a serde as it is
 */
export type Decoder<T extends AnyTopic> = (raw: RawRecord) => RecordOf<T> | Promise<RecordOf<T>>;

/** Makes the decoder of a topic, once for each consumer: what can be looked up is looked up here. */
export function createDecoder<T extends AnyTopic>(topic: T): Decoder<T> {
  const { name, tombstones } = topic;
  const decodeTypedHeaders = topic.headers && typedHeaders(topic.headers);
  const readValue = partReader(topic.value, { topic: name, part: "value" }, nullValue);
  const readKey = partReader(topic.key, { topic: name, part: "key" }, () => null);

  function decode(raw: RawRecord): AnyRecord | Promise<AnyRecord> {
    let part: Part = "value";
    let value: unknown;
    let key: unknown;
    try {
      value = readValue(raw);
      part = "key";
      key = readKey(raw);
      part = "headers";
      const rawHeaders = rawHeadersOf(raw);
      const received = decodeHeaders(rawHeaders);
      const headers = decodeTypedHeaders ? decodeTypedHeaders(received) : received;
      if (value instanceof Promise || key instanceof Promise || headers instanceof Promise) {
        return decodeLater(raw, value, key, headers, rawHeaders);
      }
      return decoded(name, raw, key, value, headers, rawHeaders);
    } catch (error) {
      ignoreRejection(value);
      ignoreRejection(key);
      throw notDecoded(name, raw, part, error);
    }
  }

  async function decodeLater(
    raw: RawRecord,
    givenValue: unknown,
    givenKey: unknown,
    givenHeaders: unknown,
    rawHeaders: RawHeaders,
  ): Promise<AnyRecord> {
    ignoreRejection(givenKey);
    ignoreRejection(givenHeaders);
    let part: Part = "value";
    try {
      const value = await givenValue;
      part = "key";
      const key = await givenKey;
      part = "headers";
      return decoded(name, raw, key, value, await givenHeaders, rawHeaders);
    } catch (error) {
      throw notDecoded(name, raw, part, error);
    }
  }

  function nullValue(): null {
    if (tombstones) return null;
    throw new SerdeFailure(
      "the record has none (a tombstone): define the topic with tombstones: true to read such records",
    );
  }

  return decode as Decoder<T>;
}

/** Reads a part of records: by their JSON or their text, where that is there and the serde looks at nothing else. */
function partReader(serde: AnySerde, given: SerdeContext, ofNull: () => null): (raw: RawRecord) => unknown {
  const context = Object.freeze(given);
  const { part } = context;
  const readText = textReaderOf(serde);
  const readJson = part === "value" ? jsonReaderOf(serde) : undefined;
  return (raw) => {
    const json = readJson === undefined ? undefined : raw.json?.(parseJson);
    if (readJson !== undefined && json !== undefined) return readJson(json);
    const text = readText === undefined ? undefined : raw.text?.(part);
    if (readText !== undefined && text !== undefined) return readText(text, context);
    const bytes = raw[part];
    return bytes === null ? ofNull() : serde.deserialize(bytes, context);
  };
}

type AnyRecord = ConsumerRecord<unknown, unknown, unknown>;
type Part = InvalidRecordError["part"];

function decoded(
  topic: string,
  raw: RawRecord,
  key: unknown,
  value: unknown,
  headers: unknown,
  rawHeaders: RawHeaders,
): AnyRecord {
  return {
    topic,
    partition: raw.partition,
    offset: raw.offset,
    timestamp: raw.timestamp,
    key,
    value,
    headers,
    rawHeaders,
  };
}

function typedHeaders(schema: StandardSchemaV1): (received: Readonly<Record<string, string>>) => unknown {
  const { decode } = schemaCodec(schema, "headers", "headers");
  return (received) => {
    const result = decode(received);
    return result instanceof Promise ? result.then(valueOf) : valueOf(result);
  };
}

/** What the reader of a record is told: that it is invalid, unless its serde says that something else is wrong. */
function notDecoded(topic: string, raw: RawRecord, part: Part, thrown: unknown): KafkaError {
  if (thrown instanceof KafkaError) return thrown;
  const { partition, offset } = raw;
  const what = describeFailure(part, thrown);
  return new InvalidRecordError(
    `${topic}, partition ${String(partition)}, offset ${String(offset)}: ${what}. ` +
      "Correct the topic's definition if the record is right, or say with onInvalid what becomes of such records.",
    {
      ...causeOf(thrown),
      topic,
      partition,
      offset,
      part,
      issues: issuesOf(thrown),
      raw: { key: raw.key, value: raw.value, headers: rawHeadersOf(raw) },
    },
  );
}
