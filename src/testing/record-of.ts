import { checkInteger, checkKnown } from "../check.js";
import type { AnyTopic, KeyOf, ProducerRecordHeaders, RecordOf, ValueOf } from "../topic.js";

/** What {@link recordOf} takes: the value, and of the rest what the test is about. */
export type RecordFields<T extends AnyTopic> = RecordParts<ValueOf<T>, KeyOf<T>> &
  ProducerRecordHeaders<RecordOf<T>["headers"]>;

/** The fields of {@link RecordFields} whatever the headers. */
export interface RecordParts<Value, Key> {
  /** The value, as a handler sees it. */
  readonly value: Value;
  /** The key. Absent: what the topic's `keyOf` gives, or `null`. */
  readonly key?: Key | null | undefined;
  /** The partition's number. @default 0 */
  readonly partition?: number | undefined;
  /** The offset in the partition. @default 0 */
  readonly offset?: number | undefined;
  /** Milliseconds since the epoch. Absent: now. */
  readonly timestamp?: number | undefined;
}

/**
 * A record as a consumer delivers it, for calling a handler in a test. The value and the headers are taken as they
 * are, and are not checked against the topic's schema; `rawHeaders` has those headers whose value is a string.
 *
 * @throws `ConfigError` for a field that there is not, or a number that is not whole or below 0
 *
 * @example
 * ```ts
 * await enrol(recordOf(students, { value: { id: 1, name: "Samwel", course: "Data Engineering" } }));
 * ```
 */
export function recordOf<T extends AnyTopic>(topic: T, fields: RecordFields<NoInfer<T>>): RecordOf<T>;
export function recordOf(topic: AnyTopic, fields: RecordFields<AnyTopic>): RecordOf<AnyTopic> {
  checkKnown("RecordFields", fields, ["value", "key", "headers", "partition", "offset", "timestamp"]);
  const { value, key = keyOf(topic, value), headers = {} } = fields;
  const whole = { min: 0, max: Number.MAX_SAFE_INTEGER };
  return {
    topic: topic.name,
    partition: checkInteger("partition", fields.partition, { ...whole, otherwise: 0 }),
    offset: checkInteger("offset", fields.offset, { ...whole, otherwise: 0 }),
    timestamp: checkInteger("timestamp", fields.timestamp, { ...whole, otherwise: Date.now() }),
    key,
    value,
    headers,
    rawHeaders: (Object.entries(headers as object) as [string, unknown][]).flatMap(([name, text]) =>
      typeof text === "string" ? [[name, Buffer.from(text)] as const] : [],
    ),
  };
}

function keyOf(topic: AnyTopic, value: unknown): unknown {
  return value === null ? null : (topic.keyOf?.(value as never) ?? null);
}
