import {
  type MeterProvider,
  propagation,
  type TextMapPropagator,
  trace,
  type TracerProvider,
} from "@opentelemetry/api";
import { checkOptions } from "../options/check-options.js";
import { flag, unchecked } from "../options/kinds.js";
import type { OptionSpecs } from "../options/spec.js";
import type { Ended, RestoreEnded } from "../telemetry/activities.js";
import type { Operation, Telemetry } from "../telemetry/telemetry.js";
import { version } from "../version.js";
import { Measurements } from "./measurements.js";
import { instrumentationName } from "./attributes.js";
import { Spans } from "./spans.js";

/** Options of {@link openTelemetry}. */
export interface OpenTelemetryOptions {
  /** Who makes the spans. @default the global one, also where it is registered later */
  readonly tracerProvider?: TracerProvider | undefined;
  /** Who makes the instruments. @default the global one, as it is when a client is first used */
  readonly meterProvider?: MeterProvider | undefined;
  /** How a trace's context is written into headers and read from them. @default the global one: with an SDK, W3C's */
  readonly propagator?: TextMapPropagator | undefined;
  /**
   * Whether spans of one record have its key, where that is a string. `false` for keys that are personal data.
   * @default true
   */
  readonly recordKeys?: boolean | undefined;
}

/** The options of `openTelemetry`. */
export const openTelemetrySpecs = {
  tracerProvider: unchecked<TracerProvider>("object", { absent: "the global one" }),
  meterProvider: unchecked<MeterProvider>("object", { absent: "the global one" }),
  propagator: unchecked<TextMapPropagator>("object", { absent: "the global one" }),
  recordKeys: flag({ default: true }),
} satisfies OptionSpecs<OpenTelemetryOptions>;

/**
 * Spans and metrics of what the clients of a `Kafka` do, by OpenTelemetry's semantic conventions for messaging
 * (1.44). Traces go on from a producer to the handlers of its records through the records' headers.
 *
 * @example
 * ```ts
 * const kafka = new Kafka({ brokers: "localhost:9092", telemetry: openTelemetry() });
 * ```
 * @throws `ConfigError` that names the option which is wrong
 */
export function openTelemetry(options: OpenTelemetryOptions = {}): Telemetry {
  const given = checkOptions("OpenTelemetryOptions", options, openTelemetrySpecs);
  const tracer = (given.tracerProvider ?? trace).getTracer(instrumentationName, version);
  const spans = new Spans(tracer, given.propagator ?? propagation, given.recordKeys);
  const measurements = new Measurements(given.meterProvider);
  return {
    onSend: (send, client) =>
      timed(spans.send(send, client), (ended, seconds) => measurements.sent(send, ended, seconds)),
    onProcess: (process, client) =>
      timed(spans.process(process, client), (ended, seconds) =>
        measurements.processed(process, ended, seconds),
      ),
    onCommit: (commit, client) =>
      timed(spans.commit(commit, client), (ended, seconds) => measurements.committed(commit, ended, seconds)),
    onTransaction: (transaction, client) =>
      timed(spans.transaction(transaction, client), (ended) => measurements.transacted(ended)),
    onFailure: (failure) => measurements.failed(failure),
    onRebalance: (rebalance) => measurements.rebalanced(rebalance),
    onOffsetReset: (reset) => measurements.offsetReset(reset),
    onStoreRestore: (restore) => {
      measurements.restoreBegan(restore);
      return timed({ end: () => undefined }, (ended: RestoreEnded, seconds) =>
        measurements.restored(restore, ended, seconds),
      );
    },
    onLateRecord: (event) => measurements.lateRecord(event),
    onWindowsClosed: (event) => measurements.windowsClosed(event),
    onMember: (member) => measurements.member(member),
  };
}

/** The operation, whose end is measured too, with the seconds since now. */
function timed<End extends Ended>(
  operation: Operation<End>,
  measure: (ended: End, seconds: number) => void,
): Operation<End> {
  const began = performance.now();
  return {
    headers: operation.headers,
    run: operation.run,
    end: (ended) => {
      operation.end(ended);
      measure(ended, (performance.now() - began) / 1_000);
    },
  };
}
