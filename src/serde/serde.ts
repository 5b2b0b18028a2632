import { processWide } from "../process-wide.js";

/** What a {@link Serde} is told of what it works for. The same frozen object for every record of it. */
export interface SerdeContext {
  /** The topic's name. */
  readonly topic: string;
  /** Which part of the record it is. */
  readonly part: "key" | "value";
}

/**
 * Turns values of one type into bytes and back. Both directions may return a promise; one that
 * returns none costs none. What they throw becomes the `cause` of a `SerializationError` (out) or
 * of an `InvalidRecordError` (in): the record is wrong. A `KafkaError` is passed on as it is: the record
 * may be right, but what the serde needs is not there, such as a schema registry. No `onInvalid` is applied
 * then; a consumer or processor decodes the record again and again where the error is `retriable`, and stops
 * with it, the offset uncommitted, where it is not. `null` is never given to the serde of a value that allows
 * tombstones, nor to that of a key: in Kafka it is the absence of bytes.
 *
 * @example
 * ```ts
 * const hex: Serde<string> = {
 *   serialize: (value) => Buffer.from(value, "hex"),
 *   deserialize: (bytes) => bytes.toString("hex"),
 * };
 * ```
 */
export interface Serde<T> {
  /** The bytes of a value. It must not change the value. */
  readonly serialize: (value: T, context: SerdeContext) => Buffer | Promise<Buffer>;
  /** The value of the bytes. It must not keep or change the bytes. */
  readonly deserialize: (bytes: Buffer, context: SerdeContext) => T | Promise<T>;
}

/** Any {@link Serde}, whatever its type. */
export interface AnySerde {
  /** The bytes of a value. */
  readonly serialize: (value: never, context: SerdeContext) => Buffer | Promise<Buffer>;
  /** The value of the bytes. */
  readonly deserialize: (bytes: Buffer, context: SerdeContext) => unknown;
}

/** What a serde deserializes when it is given the text instead of the bytes. @internal */
export type TextReader = (text: string, context: SerdeContext) => unknown;

/** What a serde serializes, as a text whose UTF-8 are the bytes. @internal */
export type TextWriter = (value: unknown, context: SerdeContext) => string | Promise<string>;

const textWriters = processWide("text writers", () => new WeakMap<AnySerde["serialize"], TextWriter>());

/** Tells that `serialize` gives the UTF-8 of what `write` gives. @internal */
export function writesText({ serialize }: AnySerde, write: TextWriter): void {
  textWriters.set(serialize, write);
}

/** How to serialize to a text, where that is what the serde writes. @internal */
export function textWriterOf({ serialize }: AnySerde): TextWriter | undefined {
  return textWriters.get(serialize);
}

const textReaders = processWide("text readers", () => new WeakMap<AnySerde["deserialize"], TextReader>());

/** Tells that `deserialize` is `read` of the text that its bytes are in UTF-8. @internal */
export function readsText({ deserialize }: AnySerde, read: TextReader): void {
  // By the function, not by the serde: in a copy of a serde it may be another one.
  textReaders.set(deserialize, read);
}

/** How to deserialize text, where that is all the serde looks at. @internal */
export function textReaderOf({ deserialize }: AnySerde): TextReader | undefined {
  return textReaders.get(deserialize);
}

/** What a serde deserializes when it is given the value of the JSON that its bytes are. @internal */
export type JsonReader = (json: unknown) => unknown;

const jsonReaders = processWide("JSON readers", () => new WeakMap<AnySerde["deserialize"], JsonReader>());

/** Tells that `deserialize` is `read` of the value that `parseJson` gives for the text of its bytes. @internal */
export function readsJson({ deserialize }: AnySerde, read: JsonReader): void {
  jsonReaders.set(deserialize, read);
}

/** How to deserialize parsed JSON, where that is all the serde looks at. @internal */
export function jsonReaderOf({ deserialize }: AnySerde): JsonReader | undefined {
  return jsonReaders.get(deserialize);
}
