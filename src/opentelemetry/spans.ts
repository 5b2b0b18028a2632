import {
  type Attributes,
  context,
  type Context,
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
import { errorType, ofGroup, ofKafka, shared } from "./attributes.js";
import { contextOf, headersOf, type Propagator } from "./propagation.js";

/**
 * One span for each operation, as the semantic conventions have them. Attributes are set one by one: objects
 * spread into each other take several times as long, for every record.
 */
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
    const attributes: Attributes = {
      ...ofKafka,
      "messaging.operation.name": "send",
      "messaging.operation.type": "send",
      "messaging.client.id": client.clientId,
      "messaging.destination.name": topic,
    };
    if (typeof batch === "number") attributes["messaging.batch.message_count"] = batch;
    this.#addRecord(attributes, key, isTombstone);
    const parent = context.active();
    const span = this.#tracer.startSpan(`send ${topic}`, { kind: SpanKind.PRODUCER, attributes }, parent);
    return {
      headers: headersOf(trace.setSpan(parent, span), this.#propagator),
      end: (ended) => {
        if (batch === "all") span.setAttribute("messaging.batch.message_count", ended.sent);
        if (ended.metadata !== undefined) {
          const { partition, offset } = ended.metadata;
          span.setAttribute("messaging.destination.partition.id", String(partition));
          if (offset >= 0) span.setAttribute("messaging.kafka.offset", offset);
        }
        endSpan(span, ended);
      },
    };
  }

  process(process: ProcessActivity, { clientId }: TelemetryClient): Operation {
    const topic = shared(process.records, (record) => record.topic);
    const attributes: Attributes = {
      ...ofGroup(process.groupId),
      "messaging.operation.name": "process",
      "messaging.operation.type": "process",
      "messaging.client.id": clientId,
      "typed_kafka.attempt": process.attempt,
    };
    if (topic !== undefined) attributes["messaging.destination.name"] = topic;
    const [record] = process.records;
    const { links, parent } =
      process.isBatch || record === undefined
        ? this.#ofBatch(attributes, process.records)
        : this.#ofOne(attributes, record);
    const options = { kind: SpanKind.CONSUMER, attributes, links };
    const span = this.#tracer.startSpan(named("process", topic), options, parent);
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
      ...ofGroup(groupId),
      "messaging.operation.name": "commit",
      "messaging.operation.type": "settle",
      "messaging.client.id": clientId,
    };
    if (topic !== undefined) attributes["messaging.destination.name"] = topic;
    if (transactionalId !== undefined) attributes["typed_kafka.transactional_id"] = transactionalId;
    const options = { kind: SpanKind.CLIENT, attributes };
    const span = this.#tracer.startSpan(named("commit", topic), options, ROOT_CONTEXT);
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
    const attributes: Attributes = {
      ...ofKafka,
      "messaging.client.id": clientId,
      "typed_kafka.transactional_id": transactionalId,
    };
    const parent = context.active();
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

  /** A child of the send of the record, with a link to it. */
  #ofOne(attributes: Attributes, record: ProcessedRecord): { links: Link[]; parent: Context } {
    attributes["messaging.destination.partition.id"] = String(record.partition);
    attributes["messaging.kafka.offset"] = record.offset;
    this.#addRecord(attributes, record.key, record.value === null);
    const parent = contextOf(record, this.#propagator);
    const sent = trace.getSpanContext(parent);
    return { links: sent === undefined ? [] : [{ context: sent }], parent };
  }

  /** The root of a trace, with a link to each send. */
  #ofBatch(attributes: Attributes, records: readonly ProcessedRecord[]): { links: Link[]; parent: Context } {
    attributes["messaging.batch.message_count"] = records.length;
    const partition = shared(records, (record) => record.partition);
    if (partition !== undefined && attributes["messaging.destination.name"] !== undefined)
      attributes["messaging.destination.partition.id"] = String(partition);
    // The records of one send have one context.
    const links = new Map<string, Link>();
    for (const record of records) {
      const sent = trace.getSpanContext(contextOf(record, this.#propagator));
      if (sent !== undefined) links.set(sent.traceId + sent.spanId, { context: sent });
    }
    return { links: [...links.values()], parent: ROOT_CONTEXT };
  }

  #addRecord(attributes: Attributes, key: unknown, isTombstone: boolean): void {
    if (typeof key === "string" && this.#recordKeys) attributes["messaging.kafka.message.key"] = key;
    if (isTombstone) attributes["messaging.kafka.message.tombstone"] = true;
  }
}

function named(operation: string, topic: string | undefined): string {
  return topic === undefined ? operation : `${operation} ${topic}`;
}

function endTransaction(span: Span, ended: TransactionEnded): void {
  if (ended.outcome !== undefined) span.setAttribute("typed_kafka.transaction.outcome", ended.outcome);
  endSpan(span, ended);
}

function endSpan(span: Span, ended: Ended): void {
  if ("error" in ended) {
    const { error } = ended;
    span.setAttribute("error.type", errorType(error));
    span.setStatus({
      code: SpanStatusCode.ERROR,
      ...(error instanceof Error ? { message: error.message } : {}),
    });
  }
  span.end();
}
