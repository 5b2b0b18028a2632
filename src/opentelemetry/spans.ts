import {
  type Attributes,
  context,
  type Link,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from "@opentelemetry/api";
import type {
  CommitActivity,
  Ended,
  ProcessActivity,
  ProcessedRecord,
  SendActivity,
  SendEnded,
  TransactionActivity,
  TransactionEnded,
} from "../telemetry/activities.js";
import type { Operation, TelemetryClient } from "../telemetry/telemetry.js";
import { errorType, names, operationAttributes, shared } from "./names.js";
import { contextOf, headersOf, type Propagator } from "./propagation.js";

/** One span for each operation, as the semantic conventions have them. */
export class Spans {
  readonly #tracer: Tracer;
  readonly #propagator: Propagator;
  readonly #recordKeys: boolean;

  constructor(tracer: Tracer, propagator: Propagator, recordKeys: boolean) {
    this.#tracer = tracer;
    this.#propagator = propagator;
    this.#recordKeys = recordKeys;
  }

  /** A child of what is under way where `send` is called. Its context goes with every record. */
  send({ topic, batch, key, isTombstone }: SendActivity, client: TelemetryClient): Operation<SendEnded> {
    const parent = context.active();
    const attributes: Attributes = {
      ...operationAttributes("send"),
      [names.clientId]: client.clientId,
      [names.topic]: topic,
      ...(typeof batch === "number" ? { [names.batchSize]: batch } : this.#ofRecord(key, isTombstone)),
    };
    const span = this.#tracer.startSpan(`send ${topic}`, { kind: SpanKind.PRODUCER, attributes }, parent);
    return {
      headers: headersOf(trace.setSpan(parent, span), this.#propagator),
      end: (ended) => {
        if (batch === "all") span.setAttribute(names.batchSize, ended.sent);
        if (ended.metadata !== undefined) span.setAttributes(placeOf(ended.metadata));
        endSpan(span, ended);
      },
    };
  }

  /** A child of the send of the one record, or the root of a trace for a batch; with links to all sends either way. */
  process({ groupId, records, isBatch, attempt }: ProcessActivity, { clientId }: TelemetryClient): Operation {
    const sent = records.map((record) => contextOf(record, this.#propagator));
    const parent = isBatch ? ROOT_CONTEXT : (sent[0] ?? ROOT_CONTEXT);
    const links = new Map<string, Link>();
    for (const each of sent) {
      const linked = trace.getSpanContext(each);
      // The records of one send have one context.
      if (linked !== undefined) links.set(linked.traceId + linked.spanId, { context: linked });
    }
    const topic = shared(records, (record) => record.topic);
    const attributes: Attributes = {
      ...operationAttributes("process"),
      [names.clientId]: clientId,
      [names.group]: groupId,
      [names.attempt]: attempt,
      ...(topic === undefined ? {} : { [names.topic]: topic }),
      ...(isBatch ? this.#ofBatch(records) : this.#ofOne(records)),
    };
    const name = topic === undefined ? "process" : `process ${topic}`;
    const span = this.#tracer.startSpan(
      name,
      { kind: SpanKind.CONSUMER, attributes, links: [...links.values()] },
      parent,
    );
    return {
      run: (work) => {
        context.with(trace.setSpan(parent, span), work);
      },
      end: (ended) => {
        endSpan(span, ended);
      },
    };
  }

  /** The root of a trace: what is committed was handled for many. */
  commit(
    { groupId, topics, transactionalId }: CommitActivity,
    { clientId }: TelemetryClient,
  ): Operation<TransactionEnded> {
    const topic = shared(topics, (each) => each);
    const attributes: Attributes = {
      ...operationAttributes("commit"),
      [names.clientId]: clientId,
      [names.group]: groupId,
      ...(topic === undefined ? {} : { [names.topic]: topic }),
      ...(transactionalId === undefined ? {} : { [names.transactionalId]: transactionalId }),
    };
    const name = topic === undefined ? "commit" : `commit ${topic}`;
    const span = this.#tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes }, ROOT_CONTEXT);
    return {
      end: (ended) => {
        endTransaction(span, ended);
      },
    };
  }

  /** A child of what is under way where `transaction` is called, and the parent of what its callback does. */
  transaction(
    { transactionalId }: TransactionActivity,
    { clientId }: TelemetryClient,
  ): Operation<TransactionEnded> {
    const parent = context.active();
    const attributes: Attributes = {
      [names.system]: "kafka",
      [names.clientId]: clientId,
      [names.transactionalId]: transactionalId,
    };
    const span = this.#tracer.startSpan("transaction", { kind: SpanKind.INTERNAL, attributes }, parent);
    return {
      run: (work) => {
        context.with(trace.setSpan(parent, span), work);
      },
      end: (ended) => {
        endTransaction(span, ended);
      },
    };
  }

  #ofOne([record]: readonly ProcessedRecord[]): Attributes {
    return record === undefined
      ? {}
      : { ...placeOf(record), ...this.#ofRecord(record.key, record.value === null) };
  }

  #ofBatch(records: readonly ProcessedRecord[]): Attributes {
    const topic = shared(records, (record) => record.topic);
    const partition = shared(records, (record) => record.partition);
    return {
      [names.batchSize]: records.length,
      ...(topic === undefined || partition === undefined ? {} : { [names.partition]: String(partition) }),
    };
  }

  #ofRecord(key: unknown, isTombstone: boolean): Attributes {
    return {
      ...(typeof key === "string" && this.#recordKeys ? { [names.key]: key } : {}),
      ...(isTombstone ? { [names.tombstone]: true } : {}),
    };
  }
}

function placeOf({ partition, offset }: { readonly partition: number; readonly offset: number }): Attributes {
  return { [names.partition]: String(partition), ...(offset < 0 ? {} : { [names.offset]: offset }) };
}

function endTransaction(span: Span, ended: TransactionEnded): void {
  if (ended.outcome !== undefined) span.setAttribute(names.outcome, ended.outcome);
  endSpan(span, ended);
}

function endSpan(span: Span, ended: Ended): void {
  if ("error" in ended) {
    const { error } = ended;
    span.setAttribute(names.errorType, errorType(error));
    span.setStatus({
      code: SpanStatusCode.ERROR,
      ...(error instanceof Error ? { message: error.message } : {}),
    });
  }
  span.end();
}
