/** Where and when a record was written. */
export interface RecordMetadata {
  /** The topic's name. */
  readonly topic: string;
  /** The partition's number, from 0. */
  readonly partition: number;
  /** The record's offset in its partition, from 0; -1 where the broker confirmed a repeated request without saying it. */
  readonly offset: number;
  /** The record's timestamp in milliseconds since the epoch; -1 where it is not known. */
  readonly timestamp: number;
}

/** Headers of a topic that defines none: what may be sent. An array writes the name once for each value. */
export interface DefaultHeaders {
  /** The value or values of the header of this name; a string is sent as UTF-8, `null` as a header without a value. */
  readonly [name: string]: string | Buffer | null | readonly (string | Buffer | null)[];
}

/**
 * The headers of a record read: what the topic's schema gives, or for a topic without one the last
 * value of each name, as UTF-8, and "" for null. Bytes that are not UTF-8, nulls and duplicates are in `rawHeaders`.
 */
export type ReceivedHeaders<Headers> = [DefaultHeaders, Headers] extends [Headers, DefaultHeaders]
  ? Readonly<Record<string, string>>
  : Headers;

/**
 * Every header of a record in order, duplicates kept. A header without a value is `null`; where the library's own
 * addon is not built, the native client gives such a header as one of no bytes, a `Buffer` of length 0.
 */
export type RawHeaders = readonly (readonly [string, Buffer | null])[];

/** A record as it was read: decoded and checked against its topic. */
export interface ConsumerRecord<Value, Key = string, Headers = DefaultHeaders, Name extends string = string> {
  /** The topic's name: a literal, so that it narrows a union of records of several topics. */
  readonly topic: Name;
  /** The partition's number, from 0. */
  readonly partition: number;
  /** The record's offset in its partition, from 0. */
  readonly offset: number;
  /** When the record was made (or appended, as the topic is configured), in milliseconds since the epoch. */
  readonly timestamp: number;
  /** The key, `null` for a record without one. */
  readonly key: Key | null;
  /** The value; `null` is a tombstone, on topics that allow them. */
  readonly value: Value;
  /** The headers: the topic's own type, or the last value of each name as UTF-8. */
  readonly headers: ReceivedHeaders<Headers>;
  /** Every header in order, duplicates kept, as bytes. */
  readonly rawHeaders: RawHeaders;
}

/** Bytes where they lie; `end` is before `start` where they are null. */
export interface Span {
  bytes: Buffer;
  start: number;
  end: number;
}

/** All of these bytes. @internal */
export function spanOf(bytes: Buffer | null): Span {
  return { bytes: bytes ?? noBytes, start: 0, end: bytes?.length ?? -1 };
}

/** A record as the native client gives it. */
export interface RawRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** Objects of one entry each, in order; absent where there are none. */
  readonly headers?: readonly Readonly<Record<string, Buffer>>[] | undefined;
  /** The same as they were written, null values among them; absent where only `headers` are there. */
  readonly rawHeaders?: RawHeaders | undefined;
  /** The length of the value in bytes. */
  readonly size: number;
  /** The length of the key in bytes, where it is known without making the key, and there is one. */
  readonly keySize?: number | undefined;
  /** Says where the key and the value lie, without making them: for who copies them at once. */
  readonly locate?: ((key: Span, value: Span) => void) | undefined;
  readonly leaderEpoch?: number | undefined;
  /** The text of a part whose bytes are UTF-8, without making those; `undefined` where they are not. */
  readonly text?: ((part: "key" | "value") => string | undefined) | undefined;
  /**
   * The value of a JSON value, by `parse` of its text or as that would give it; `undefined` where the bytes are not UTF-8,
   * or there are none.
   */
  readonly json?: ((parse: (text: string) => unknown) => unknown) | undefined;
  /** The memory that the record holds with others together, in bytes, and a copy that holds its own alone. */
  readonly shared?: { readonly bytes: number; readonly copy: () => RawRecord } | undefined;
}

/**
 * Where the run of one partition's records ends that begins at `from`: a fetched array has several partitions in turn.
 * @internal
 */
export function endOfRun(
  records: readonly (RawRecord | undefined)[],
  from: number,
  { topic, partition }: RawRecord,
): number {
  let to = from + 1;
  for (
    let record = records[to];
    record?.partition === partition && record.topic === topic;
    record = records[to]
  )
    to += 1;
  return to;
}

/** One header as the native client takes it: an object of one entry. */
export type NativeHeader = Readonly<Record<string, string | Buffer | null>>;

/** A key or value to write. A text goes as its UTF-8, of which it must have one: no half of a surrogate pair. */
export type EncodedPart = string | Buffer | null;

/** A record checked and serialized: what the native client's `produce` takes. */
export interface EncodedRecord {
  readonly key: EncodedPart;
  readonly value: EncodedPart;
  /** `undefined` where there are none. */
  readonly headers: NativeHeader[] | undefined;
  /** `undefined` leaves it to the partitioner. */
  readonly partition: number | undefined;
  /** Milliseconds since the epoch; `undefined` is the time of sending. */
  readonly timestamp: number | undefined;
  /** Bytes of key, value and headers together. Characters of texts count as one byte each, and may be up to three. */
  readonly size: number;
}

/** A part as bytes, as the binding takes them. @internal */
export function bytesOf(part: EncodedPart): Buffer | null {
  if (typeof part !== "string") return part;
  return part === "" ? noBytes : Buffer.from(part);
}

/**
 * The binding takes a buffer without memory, as `Buffer.alloc(0)` is, for null: an empty value would be sent as a
 * tombstone, an empty key as none.
 * @internal
 */
export function nativeBytes(part: EncodedPart): EncodedPart {
  return Buffer.isBuffer(part) && part.length === 0 ? noBytes : part;
}

const noBytes = Buffer.allocUnsafeSlow(1).subarray(0, 0);

/** The record with bytes of its own: a serde may have given the caller's own buffer, or one that it uses again. @internal */
export function copyOf(record: EncodedRecord): EncodedRecord {
  const { key, value, headers } = record;
  if (!Buffer.isBuffer(key) && !Buffer.isBuffer(value) && headers === undefined) return record;
  return { ...record, key: copyOfPart(key), value: copyOfPart(value), headers: headers?.map(copyOfHeader) };
}

/** An empty buffer is left as it is: it has nothing to change, and a copy without memory would be taken for null. */
function copyOfPart(part: EncodedPart): EncodedPart {
  return Buffer.isBuffer(part) && part.length > 0 ? Buffer.from(part) : part;
}

function copyOfHeader(header: NativeHeader): NativeHeader {
  const entries = Object.entries(header);
  if (entries.every(([, value]) => !Buffer.isBuffer(value))) return header;
  return Object.fromEntries(
    entries.map(([name, value]) => [name, Buffer.isBuffer(value) ? Buffer.from(value) : value]),
  );
}
