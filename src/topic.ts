import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { ConsumerRecord, DefaultHeaders } from "./record.js";
import type { AnySerde, Serde } from "./serde/serde.js";
import type { ApplicationOf, Source } from "./serde/source.js";
import type { AnyTopicPattern } from "./topic-pattern.js";
import { type GivenDefinition, resolveDefinition, type TopicDefinition } from "./topic-definition.js";
import { checkTopicName } from "./topic-name.js";

/**
 * A topic: its name, and the types and serdes of its records. Plain immutable data, made once with
 * {@link defineTopic} at module scope and shared by everything that sends to it or reads it. It
 * opens nothing. A topic of one type never passes for a topic of another.
 */
export interface Topic<
  Value,
  Key = string,
  Headers = DefaultHeaders,
  Name extends string = string,
> extends AnyTopic {
  readonly name: Name;
  readonly value: Serde<Exclude<Value, null>>;
  readonly key: Serde<Key>;
  readonly headers: StandardSchemaV1<unknown, Headers> | undefined;
  readonly keyOf: ((value: Exclude<Value, null>) => Key | null) | undefined;
  /** Only for the compiler: a function of the types is what makes them invariant. Never set. */
  readonly "~types"?: (types: TopicTypes<Value, Key, Headers>) => TopicTypes<Value, Key, Headers>;
}

/** Any {@link Topic}, whatever its types. */
export interface AnyTopic {
  /** The topic's name: 1 to 249 of `a-z A-Z 0-9 . _ -`, and neither `.` nor `..`. */
  readonly name: string;
  /** Turns values into bytes and back; never given `null` where `tombstones` is set. */
  readonly value: AnySerde;
  /** Turns keys into bytes and back; never given `null`. */
  readonly key: AnySerde;
  /** The schema of the headers; `undefined` for a topic that takes any. */
  readonly headers: StandardSchemaV1 | undefined;
  /** Derives the key of a record that gives none, from the value as it was passed; never called for `null`. */
  readonly keyOf: ((value: never) => unknown) | undefined;
  /** Whether a value may be `null`, which deletes its key in a compacted topic. */
  readonly tombstones: boolean;
  /** How many partitions the topic is made with; `undefined` leaves it to the broker. */
  readonly partitions: number | undefined;
  /** How many brokers hold each partition; `undefined` leaves it to the broker. */
  readonly replicationFactor: number | undefined;
  /** The topic's configuration in Kafka, such as `{ "cleanup.policy": "compact" }`. */
  readonly config: Readonly<Record<string, string>>;
  /** Only for the compiler. Never set. */
  readonly "~types"?: (types: never) => unknown;
}

/** The types of a topic's records, gathered. */
export interface TopicTypes<Value, Key, Headers> {
  /** The type of the value. */
  readonly value: Value;
  /** The type of the key. */
  readonly key: Key;
  /** The type of the headers. */
  readonly headers: Headers;
}

/** The type of a topic's values: `ValueOf<typeof students>`. With `tombstones`, `null` is one of them. */
export type ValueOf<T extends AnyTopic> = TypeOf<T, "value">;

/** The type of a topic's keys: `KeyOf<typeof students>`. */
export type KeyOf<T extends AnyTopic> = TypeOf<T, "key">;

/** The type of a topic's headers as they are sent: `HeadersOf<typeof students>`. */
export type HeadersOf<T extends AnyTopic> = TypesOf<T>["headers"];

type TypesOf<T> = T extends {
  readonly "~types"?: (types: never) => infer Types extends TopicTypes<unknown, unknown, unknown>;
}
  ? Types
  : TopicTypes<unknown, unknown, unknown>;

/** Not `TypesOf<T>[Field]`, for which the compiler takes anything in generic code. */
type TypeOf<T, Field extends "value" | "key"> =
  TypesOf<T> extends { readonly [Each in Field]: infer Type } ? Type : never;

/**
 * The record that is read from a topic or a pattern: `RecordOf<typeof students>`. For several of them (a
 * union or an array) it is a union, in which `topic` tells the records apart.
 */
export type RecordOf<T extends AnySource | readonly AnySource[]> = T extends readonly (infer Each extends
  AnySource)[]
  ? RecordOf<Each>
  : T extends AnySource
    ? ConsumerRecord<TypeOf<T, "value">, TypeOf<T, "key">, TypesOf<T>["headers"], NameOf<T>>
    : never;

type AnySource = AnyTopic | AnyTopicPattern;

type NameOf<T> = T extends { readonly name: infer Name extends string } ? Name : string;

/** A record to be sent to a topic: `ProducerRecord<typeof students>`. */
export type ProducerRecord<T extends AnyTopic> = ProducerRecordFields<ValueOf<T>, KeyOf<T>> &
  ProducerRecordHeaders<HeadersOf<T>>;

/** The fields of a {@link ProducerRecord} whatever its headers. */
export interface ProducerRecordFields<Value, Key> {
  /** The value; `null` is a tombstone, on topics that allow them, and needs a `key`. */
  readonly value: Value;
  /** The key. Absent: what the topic's `keyOf` gives, or no key. `null`: no key. */
  readonly key?: Key | null | undefined;
  /** The partition, from 0. Absent: the partitioner chooses, by the key if there is one. */
  readonly partition?: number | undefined;
  /**
   * Milliseconds since the epoch, a whole number from 1. Absent: the time of sending. (0 is refused:
   * the native client takes it for "now".)
   */
  readonly timestamp?: number | undefined;
}

/** The headers of a {@link ProducerRecord}: required where the topic's schema requires one of them. */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type -- whether an object without any header will do
export type ProducerRecordHeaders<Headers> = {} extends Headers
  ? OptionalHeaders<Headers>
  : RequiredHeaders<Headers>;

/** Headers that may be left out. */
export interface OptionalHeaders<Headers> {
  /** The headers. Absent: none. */
  readonly headers?: Headers | undefined;
}

/** Headers of which the topic's schema requires at least one. */
export interface RequiredHeaders<Headers> {
  /** The headers. */
  readonly headers: Headers;
}

type TopicHeaders<HeadersSource> = HeadersSource extends StandardSchemaV1
  ? StandardSchemaV1.InferOutput<HeadersSource>
  : DefaultHeaders;

/**
 * Defines a topic: its name, and what its records are. The types follow from the definition; what is
 * sent and what is read is checked against it.
 *
 * @param name - 1 to 249 of `a-z A-Z 0-9 . _ -`, and neither `.` nor `..`
 * @param definition - copied: changing it afterwards changes nothing
 * @throws `ConfigError` naming the field: a wrong name, an unknown field, a schema that goes one way
 *   only or whose wire side is not JSON, tombstones for a schema that takes `null` itself
 *
 * @example
 * ```ts
 * export const students = defineTopic("students", {
 *   value: z.object({ id: z.number().int(), name: z.string(), course: z.string() }),
 *   keyOf: (student) => String(student.id),
 * });
 * ```
 */
export function defineTopic<
  const Name extends string,
  ValueSource extends Source,
  KeySource extends Source = Serde<string>,
  HeadersSource extends StandardSchemaV1 | undefined = undefined,
  const Tombstones extends boolean = false,
>(
  name: Name,
  definition: TopicDefinition<ValueSource, KeySource, HeadersSource, Tombstones>,
): Topic<
  Tombstones extends true ? ApplicationOf<ValueSource> | null : ApplicationOf<ValueSource>,
  ApplicationOf<KeySource>,
  TopicHeaders<HeadersSource>,
  Name
>;
export function defineTopic(name: string, definition: GivenDefinition): AnyTopic {
  checkTopicName(name);
  return Object.freeze({ name, ...resolveDefinition(definition) });
}
