import {
  type Context,
  propagation,
  ROOT_CONTEXT,
  type TextMapGetter,
  type TextMapPropagator,
  type TextMapSetter,
} from "@opentelemetry/api";
import type { ConsumerRecord, RawHeaders } from "../record.js";

/** What writes and reads contexts: the global API is one. */
export type Propagator = Pick<TextMapPropagator, "inject" | "extract">;

/**
 * The context in which a record was sent, as its headers have it; the root context where they have none. For the
 * body of a loop, or for the records of a batch, where no span of one record is active.
 *
 * @param record - as a consumer or `kafka.read` gives it
 * @param propagator - absent: the global one
 *
 * @example
 * ```ts
 * for await (const record of kafka.read(orders)) {
 *   await context.with(contextOf(record), () => index(record.value));
 * }
 * ```
 */
export function contextOf(
  record: Pick<ConsumerRecord<unknown, unknown>, "rawHeaders">,
  propagator: Pick<TextMapPropagator, "extract"> = propagation,
): Context {
  return propagator.extract(ROOT_CONTEXT, record.rawHeaders, getter);
}

/** The headers that carry a context. */
export function headersOf(context: Context, propagator: Propagator): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  propagator.inject(context, headers, setter);
  return headers;
}

const setter: TextMapSetter<Record<string, string>> = {
  set: (headers, name, value) => {
    headers[name] = value;
  },
};

/** Of several headers of a name the last counts, as in `record.headers`. */
const getter: TextMapGetter<RawHeaders> = {
  keys: (headers) => headers.map(([name]) => name),
  get: (headers, name) => headers.findLast(([each]) => each === name)?.[1]?.toString(),
};
