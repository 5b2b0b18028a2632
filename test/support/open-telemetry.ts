import { inspect } from "node:util";
import { type Attributes, context, type Span, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { type DataPoint, MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { Kafka, type KafkaOptions, type Logger } from "typed-kafka";
import { openTelemetry, type OpenTelemetryOptions } from "typed-kafka/opentelemetry";
import { silent } from "./silent.js";

class Reader extends MetricReader {
  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }
  protected override onShutdown(): Promise<void> {
    return Promise.resolve();
  }
}

/** A `Kafka` that is watched by OpenTelemetry's SDK, which keeps everything in memory. */
export function observedKafka(
  brokers: string,
  options: OpenTelemetryOptions & { logger?: Logger } = {},
  more: Partial<KafkaOptions> = {},
) {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const { logger = silent, ...given } = options;
  const exporter = new InMemorySpanExporter();
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const reader = new Reader();
  const telemetry = openTelemetry({
    tracerProvider,
    meterProvider: new MeterProvider({ readers: [reader] }),
    propagator: new W3CTraceContextPropagator(),
    ...given,
  });
  const tracer = tracerProvider.getTracer("test");
  return {
    kafka: new Kafka({ brokers, clientId: "observed", telemetry, logger, ...more }),
    /** Every finished span and every measurement, as texts. */
    everything: async (): Promise<string[]> =>
      [exporter.getFinishedSpans(), await reader.collect()].map((each) =>
        inspect(each, { depth: 20, maxStringLength: null, maxArrayLength: null }),
      ),
    telemetry,
    /** The finished spans of this name, in the order in which they ended. */
    spans: (name: string): ReadableSpan[] => exporter.getFinishedSpans().filter((span) => span.name === name),
    /** Does `work` as a span of the application. */
    within: <Result>(name: string, work: (span: Span) => Promise<Result>): Promise<Result> =>
      tracer.startActiveSpan(name, async (span) => {
        try {
          return await work(span);
        } finally {
          span.end();
        }
      }),
    /** What was measured under this name: values with their attributes, and of a histogram how many. */
    points: async (name: string): Promise<{ value: number; attributes: Attributes }[]> => {
      const { resourceMetrics } = await reader.collect();
      return resourceMetrics.scopeMetrics
        .flatMap(({ metrics }) => metrics)
        .filter(({ descriptor }) => descriptor.name === name)
        .flatMap(({ dataPoints }): readonly DataPoint<number | { readonly count: number }>[] => dataPoints)
        .map(({ value, attributes }) => ({
          value: typeof value === "number" ? value : value.count,
          attributes,
        }));
    },
  };
}

/** The id of the trace that is active here. */
export const activeTrace = (): string | undefined => trace.getActiveSpan()?.spanContext().traceId;
