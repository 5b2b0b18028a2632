import type { StandardSchemaV1 } from "@standard-schema/spec";
import { KafkaError, SerializationError } from "../errors.js";
import type { EncodedPart, EncodedRecord } from "../record.js";
import type { AnyTopic, ProducerRecord } from "../topic.js";
import { ignoreRejection } from "../waiting.js";
import { encodedRecord } from "./encoded-record.js";
import { causeOf, describeFailure, describeValue, issuesOf, SerdeFailure } from "./failure.js";
import { type EncodedHeaders, encodeHeaders } from "./headers.js";
import { schemaCodec, valueOf } from "./schema.js";
import { type Serde, type SerdeContext, textWriterOf } from "./serde.js";

/**
 * Checks a record and turns it into bytes. Gives a promise only where a serde or a schema does.
 *
 * @param index - the record's position in the caller's array, for the error; `undefined` for one record
 * @throws `SerializationError` (or rejects with it); a `KafkaError` of a serde as it is
 */
export type Encoder = (
  record: ProducerRecord<AnyTopic>,
  index: number | undefined,
) => EncodedRecord | Promise<EncodedRecord>;

/** Makes the encoder of a topic, once for each producer: what can be looked up is looked up here. */
export function createEncoder(topic: AnyTopic): Encoder {
  const { name, tombstones } = topic;
  const keyOf = topic.keyOf as ((value: unknown) => unknown) | undefined;
  const headersOf = topic.headers ? typedHeaders(topic.headers) : untypedHeaders;
  const writeValue = partWriter(topic.value as Serde<unknown>, { topic: name, part: "value" });
  const writeKey = partWriter(topic.key as Serde<unknown>, { topic: name, part: "key" });

  function encode(
    record: ProducerRecord<AnyTopic>,
    index: number | undefined,
  ): EncodedRecord | Promise<EncodedRecord> {
    checkRecord(record, name, index);
    let part: Part = "value";
    let key: Later<EncodedPart> | undefined;
    try {
      const value = encodeValue(record.value);
      if (value instanceof Promise) {
        // All parts are begun now: the caller may change the record while one is awaited.
        const laterKey = begin(() => encodeKey(record));
        return encodeLater(
          { ...record },
          index,
          value,
          laterKey,
          begin(() => headersOf(record.headers)),
        );
      }
      part = "key";
      key = encodeKey(record);
      part = "headers";
      const headers = headersOf(record.headers);
      if (key instanceof Promise || headers instanceof Promise) {
        return encodeLater({ ...record }, index, value, key, headers);
      }
      return encodedRecord(key, value, headers, record.partition, record.timestamp);
    } catch (error) {
      ignoreRejection(key);
      throw refused(name, part, index, error);
    }
  }

  /** The rest of a record of which a part is a promise. The parts are awaited in order, so that the error names the first. */
  async function encodeLater(
    record: ProducerRecord<AnyTopic>,
    index: number | undefined,
    laterValue: Later<EncodedPart>,
    laterKey: Later<EncodedPart>,
    laterHeaders: Later<EncodedHeaders>,
  ): Promise<EncodedRecord> {
    ignoreRejection(laterKey);
    ignoreRejection(laterHeaders);
    let part: Part = "value";
    try {
      const value = await laterValue;
      part = "key";
      const key = await laterKey;
      part = "headers";
      const headers = await laterHeaders;
      return encodedRecord(key, value, headers, record.partition, record.timestamp);
    } catch (error) {
      throw refused(name, part, index, error);
    }
  }

  function encodeValue(value: unknown): Later<EncodedPart> {
    if (value === undefined) throw new SerdeFailure("there is none: a record is { value, ... }");
    if (value === null && tombstones) return null;
    try {
      return writeValue(value);
    } catch (error) {
      if (value !== null) throw error;
      throw SerdeFailure.ofIssues([{ message: nullRefused }]);
    }
  }

  function encodeKey(record: ProducerRecord<AnyTopic>): Later<EncodedPart> {
    let { key } = record;
    if (key === undefined) {
      if (record.value === null) {
        if (tombstones || keyOf)
          throw new SerdeFailure("a null value needs one: it says which key is deleted");
        return null;
      }
      if (keyOf === undefined) return null;
      key = keyOf(record.value);
      if (key === undefined) throw new SerdeFailure("keyOf gave undefined: give a key, or null for none");
    }
    if (key === null) {
      if (record.value === null && tombstones)
        throw new SerdeFailure("a null value needs one: it says which key is deleted");
      return null;
    }
    return writeKey(key);
  }

  return encode;
}

type Part = SerializationError["part"];
type Later<T> = T | Promise<T>;

/** Writes a part of records: as a text, where that is what the serde makes bytes of. */
function partWriter(serde: Serde<unknown>, given: SerdeContext): (value: unknown) => Later<string | Buffer> {
  const context = Object.freeze(given);
  const writeText = textWriterOf(serde);
  return writeText === undefined
    ? (value) => checkLater(serde.serialize(value, context))
    : (value) => writeText(value, context);
}

function untypedHeaders(headers: unknown): EncodedHeaders {
  return encodeHeaders(headers, false);
}

function typedHeaders(schema: StandardSchemaV1): (headers: unknown) => Later<EncodedHeaders> {
  const { encode } = schemaCodec(schema, "headers", "headers");
  const toNative = (result: StandardSchemaV1.Result<unknown>): EncodedHeaders =>
    encodeHeaders(valueOf(result), true);
  return (headers) => {
    const result = encode(headers === undefined ? {} : headers);
    return result instanceof Promise ? result.then(toNative) : toNative(result);
  };
}

const nullRefused = "null does not fit (to delete a key, define the topic with tombstones: true)";
const maxPartition = 2_147_483_647;

/** Everything of a record that is no key, value or header. */
function checkRecord(record: unknown, topic: string, index: number | undefined): void {
  if (typeof record !== "object" || record === null || Array.isArray(record) || Buffer.isBuffer(record)) {
    throw refused(
      topic,
      "record",
      index,
      new SerdeFailure(`expected { value, ... }, got ${describeValue(record)}`),
    );
  }
  for (const field in record) {
    switch (field) {
      case "value":
      case "key":
      case "headers":
      case "partition":
      case "timestamp":
        break;
      default:
        throw refused(
          topic,
          "record",
          index,
          new SerdeFailure(
            `unknown field ${field}: a record is { value, key, headers, partition, timestamp }`,
          ),
        );
    }
  }
  const { partition, timestamp } = record as { readonly partition?: unknown; readonly timestamp?: unknown };
  if (partition !== undefined && !isWholeNumber(partition, 0, maxPartition)) {
    const message = `expected a whole number from 0 to ${String(maxPartition)}, got ${describeValue(partition)}`;
    throw refused(topic, "partition", index, new SerdeFailure(message));
  }
  if (timestamp !== undefined && !isWholeNumber(timestamp, 1, Number.MAX_SAFE_INTEGER)) {
    const message = `expected whole milliseconds since the epoch, from 1, got ${describeValue(timestamp)}`;
    throw refused(topic, "timestamp", index, new SerdeFailure(message));
  }
}

function isWholeNumber(value: unknown, from: number, to: number): boolean {
  return Number.isInteger(value) && (value as number) >= from && (value as number) <= to;
}

/** What a serde gave, which must be bytes: the native client takes null for a tombstone, and throws on others. */
function checkBytes(bytes: unknown): Buffer {
  if (Buffer.isBuffer(bytes)) return bytes;
  throw new SerdeFailure(`the serde gave ${describeValue(bytes)}: serialize must give a Buffer`);
}

function checkLater(bytes: Later<Buffer>): Later<Buffer> {
  return bytes instanceof Promise ? bytes.then(checkBytes) : checkBytes(bytes);
}

/** What `make` gives or throws, as a promise. */
async function begin<T>(make: () => Later<T>): Promise<T> {
  return make();
}

/** What the sender of a record is told: that it does not fit, unless its serde says that something else is wrong. */
function refused(topic: string, part: Part, index: number | undefined, thrown: unknown): KafkaError {
  if (thrown instanceof KafkaError) return thrown;
  const where = index === undefined ? topic : `${topic}: record ${String(index)}`;
  return new SerializationError(`${where}: ${describeFailure(part, thrown)}`, {
    ...causeOf(thrown),
    topic,
    part,
    index,
    issues: issuesOf(thrown),
  });
}
