import { ROOT_CONTEXT, trace, TraceFlags } from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { expect, test } from "vitest";
import { contextOf, openTelemetry, type OpenTelemetryOptions } from "typed-kafka/opentelemetry";
import { TimeoutError } from "../../../src/errors.js";
import type { ProcessedRecord } from "../../../src/telemetry/activities.js";

const client = { clientId: "c" };
const propagator = new W3CTraceContextPropagator();

function setUp(options: OpenTelemetryOptions = {}) {
  const exporter = new InMemorySpanExporter();
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  return { telemetry: openTelemetry({ tracerProvider, propagator, ...options }), exporter };
}

const record = (traceparent?: string, overrides: Partial<ProcessedRecord> = {}): ProcessedRecord => ({
  topic: "t",
  partition: 0,
  offset: 1,
  key: "k",
  value: "v",
  rawHeaders: traceparent === undefined ? [] : [["traceparent", Buffer.from(traceparent)]],
  ...overrides,
});
const traceparent = (span: string): string => `00-0af7651916cd43dd8448eb211c80319c-${span}-01`;

test("a batch links to each send once, however many of its records are there", () => {
  const { telemetry, exporter } = setUp();
  const [one, other] = [traceparent("b7ad6b7169203331"), traceparent("b7ad6b7169203332")];
  const records = [record(one), record(one), record(), record(other, { partition: 1 })];
  telemetry.onProcess?.({ groupId: "g", records, isBatch: true, attempt: 1 }, client)?.end({});
  const [span] = exporter.getFinishedSpans();
  expect(span?.links.map(({ context: { spanId } }) => spanId)).toEqual([
    "b7ad6b7169203331",
    "b7ad6b7169203332",
  ]);
  expect(span?.attributes).toMatchObject({
    "messaging.batch.message_count": 4,
    "messaging.destination.name": "t",
  });
  // They are of two partitions.
  expect(span?.attributes).not.toHaveProperty("messaging.destination.partition.id");
});

test("a batch of several topics has none in its name", () => {
  const { telemetry, exporter } = setUp();
  const records = [record(), record(undefined, { topic: "u" })];
  telemetry.onProcess?.({ groupId: "g", records, isBatch: true, attempt: 1 }, client)?.end({});
  const [span] = exporter.getFinishedSpans();
  expect(span?.name).toBe("process");
  expect(span?.attributes).not.toHaveProperty("messaging.destination.name");
});

test.each([
  [new TimeoutError("late"), "TIMEOUT"],
  [new RangeError("far"), "RangeError"],
  [new (class NoMoneyError extends Error {})("none"), "NoMoneyError"],
  ["a text", "_OTHER"],
  [undefined, "_OTHER"],
])("error.type of %s is %s", (error, type) => {
  const { telemetry, exporter } = setUp();
  telemetry.onTransaction?.({ transactionalId: "x" }, client)?.end({ error, outcome: "aborted" });
  expect(exporter.getFinishedSpans()[0]?.attributes["error.type"]).toBe(type);
});

test("keys are left out where they are to be, or are no strings", () => {
  const keyOf = (options: OpenTelemetryOptions, key: unknown): unknown => {
    const { telemetry, exporter } = setUp(options);
    const records = [record(undefined, { key, value: null })];
    telemetry.onProcess?.({ groupId: "g", records, isBatch: false, attempt: 1 }, client)?.end({});
    const [span] = exporter.getFinishedSpans();
    expect(span?.attributes["messaging.kafka.message.tombstone"]).toBe(true);
    return span?.attributes["messaging.kafka.message.key"];
  };
  expect(keyOf({}, "k")).toBe("k");
  expect(keyOf({}, 7)).toBeUndefined();
  expect(keyOf({}, null)).toBeUndefined();
  expect(keyOf({ recordKeys: false }, "k")).toBeUndefined();
});

test("contextOf gives the context of the send, by the last header of the name", () => {
  const rawHeaders = ["b7ad6b7169203331", "b7ad6b7169203332"].map(
    (span) => ["traceparent", Buffer.from(traceparent(span))] as const,
  );
  expect(trace.getSpanContext(contextOf({ rawHeaders }, propagator))).toMatchObject({
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: "b7ad6b7169203332",
    traceFlags: TraceFlags.SAMPLED,
    isRemote: true,
  });
  expect(contextOf({ rawHeaders: [] }, propagator)).toBe(ROOT_CONTEXT);
});

/** Telemetry with a function that gives what was measured under a name since it was called last. */
function setUpMetrics() {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.DELTA);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const { telemetry } = setUp({ meterProvider: new MeterProvider({ readers: [reader] }) });
  const measured = async (name: string): Promise<unknown[]> => {
    exporter.reset();
    await reader.forceFlush();
    return exporter
      .getMetrics()
      .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics))
      .filter(({ descriptor }) => descriptor.name === name)
      .flatMap(({ dataPoints }) =>
        dataPoints.map(({ value, attributes }) => [value, attributes["error.type"]]),
      );
  };
  return { telemetry, measured };
}

test("the lag of a member is observed until it ends", async () => {
  const { telemetry, measured } = setUpMetrics();
  const lag = () => [{ topic: "t", partition: 0, lag: 5 }];
  const ended = telemetry.onMember?.({ groupId: "g", lag, waiting: () => undefined }, client);
  expect(await measured("typed_kafka.consumer.lag")).toEqual([[5, undefined]]);
  ended?.();
  expect(await measured("typed_kafka.consumer.lag")).toEqual([]);
});

test("members that wait are counted by their group, while they wait", async () => {
  const { telemetry, measured } = setUpMetrics();
  let waits = true;
  const waiting = () =>
    waits ? { code: "GROUP_MAX_SIZE_REACHED" as const, reason: "it is full", since: 0 } : undefined;
  for (const groupId of ["g", "g", "h"]) telemetry.onMember?.({ groupId, lag: () => [], waiting }, client);
  expect(await measured("typed_kafka.consumer.waiting")).toEqual([
    [2, undefined],
    [1, undefined],
  ]);
  waits = false;
  expect(await measured("typed_kafka.consumer.waiting")).toEqual([]);
});

test("restores count while they run, with their entries and how they ended", async () => {
  const { telemetry, measured } = setUpMetrics();
  const store = { groupId: "g", store: "totals", partition: 0 };
  const restores = [0, 1, 2].map((partition) =>
    telemetry.onStoreRestore?.({ ...store, partition, total: 9 }, client),
  );
  expect(await measured("typed_kafka.restoring")).toEqual([[3, undefined]]);
  restores[0]?.end({ entries: 7, outcome: "restored" });
  expect(await measured("typed_kafka.restored_entries")).toEqual([[7, undefined]]);
  restores[1]?.end({ entries: 0, outcome: "failed", error: new TimeoutError("late") });
  expect(await measured("typed_kafka.restore.duration")).toEqual([[expect.anything(), "TIMEOUT"]]);
  restores[2]?.end({ entries: 0, outcome: "stopped" });
  // Since it was measured last.
  expect(await measured("typed_kafka.restoring")).toEqual([[-1, undefined]]);
});

test("late records and closed windows are counted", async () => {
  const { telemetry, measured } = setUpMetrics();
  const store = { groupId: "g", store: "totals", partition: 0 };
  telemetry.onLateRecord?.(store, client);
  expect(await measured("typed_kafka.late_records")).toEqual([[1, undefined]]);
  telemetry.onWindowsClosed?.({ ...store, windows: 3 }, client);
  expect(await measured("typed_kafka.closed_windows")).toEqual([[3, undefined]]);
});

test("of a send that failed half way, what was written counts without the error", async () => {
  const { telemetry, measured } = setUpMetrics();
  const send = { topic: "t", batch: 3, isTombstone: false, isTransactional: false };
  telemetry.onSend?.(send, client)?.end({ sent: 1, failed: 2, error: new TimeoutError("late") });
  expect(await measured("messaging.client.sent.messages")).toEqual([
    [1, undefined],
    [2, "TIMEOUT"],
  ]);
});

test("without an SDK nothing is written into headers, and nothing fails", () => {
  const telemetry = openTelemetry();
  const send = { topic: "t", batch: 2, isTombstone: false, isTransactional: false };
  const operation = telemetry.onSend?.(send, client);
  expect(operation?.headers).toEqual({});
  operation?.end({ sent: 2, failed: 0 });
});
