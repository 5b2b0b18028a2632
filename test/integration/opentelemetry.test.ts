import { SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { defineTopic, Kafka, string } from "typed-kafka";
import { contextOf } from "typed-kafka/opentelemetry";
import { z } from "zod";
import { afterEach, describe, expect, inject, test } from "vitest";
import { until } from "../support/consuming.js";
import { activeTrace, observedKafka } from "../support/open-telemetry.js";
import { errorOf } from "../support/outcomes.js";
import { silent } from "../support/silent.js";
import { newTopic } from "../support/string-topics.js";
import { createTopic, uniqueName } from "../support/topics.js";

const brokers = inject("brokers");
const opened: Kafka[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((kafka) => kafka.close()));
});

function setUp(...options: Parameters<typeof observedKafka> extends [string, ...infer Rest] ? Rest : never) {
  const observed = observedKafka(brokers, ...options);
  opened.push(observed.kafka);
  return observed;
}

describe("a trace", () => {
  test("goes from the sender to the handler, to what that sends, and to the handler of it", async () => {
    const { kafka, spans, within } = setUp();
    const [orders, bills] = [await newTopic(), await newTopic()];
    const producer = kafka.producer();
    const groupId = uniqueName();
    const first = kafka.consumer(orders, { groupId });
    const second = kafka.consumer(bills, { groupId: uniqueName() });
    const traces: (string | undefined)[] = [];
    const running = [
      first.run(async (order) => {
        traces.push(activeTrace());
        await producer.send(bills, { key: "b", value: `bill of ${order.value}` });
      }),
      second.run(() => {
        traces.push(activeTrace());
      }),
    ];
    const traceId = await within("checkout", async (span) => {
      await producer.send(orders, { key: "k", value: "order" });
      return span.spanContext().traceId;
    });
    await until("both have handled", () => spans(`process ${bills.name}`).length === 1);
    await Promise.all([first.close(), second.close()]);
    await Promise.all(running);

    expect(traces).toEqual([traceId, traceId]);
    const [checkout] = spans("checkout");
    const [sent] = spans(`send ${orders.name}`);
    const [handled] = spans(`process ${orders.name}`);
    const [billed] = spans(`send ${bills.name}`);
    const [last] = spans(`process ${bills.name}`);
    const chain = [checkout, sent, handled, billed, last];
    expect(chain.map((span) => span?.spanContext().traceId)).toEqual(chain.map(() => traceId));
    expect(chain.slice(1).map((span) => span?.parentSpanContext?.spanId)).toEqual(
      chain.slice(0, -1).map((span) => span?.spanContext().spanId),
    );
    expect(sent).toMatchObject({
      kind: SpanKind.PRODUCER,
      status: { code: SpanStatusCode.UNSET },
      attributes: {
        "messaging.system": "kafka",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.client.id": "observed",
        "messaging.destination.name": orders.name,
        "messaging.destination.partition.id": "0",
        "messaging.kafka.offset": 0,
        "messaging.kafka.message.key": "k",
      },
    });
    expect(sent?.attributes).not.toHaveProperty("messaging.batch.message_count");
    expect(handled).toMatchObject({
      kind: SpanKind.CONSUMER,
      status: { code: SpanStatusCode.UNSET },
      links: [{ context: { spanId: sent?.spanContext().spanId } }],
      attributes: {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.client.id": "observed",
        "messaging.consumer.group.name": groupId,
        "messaging.destination.name": orders.name,
        "messaging.destination.partition.id": "0",
        "messaging.kafka.offset": 0,
        "messaging.kafka.message.key": "k",
        "typed_kafka.attempt": 1,
      },
    });
    expect(spans(`commit ${orders.name}`)[0]).toMatchObject({
      kind: SpanKind.CLIENT,
      parentSpanContext: undefined,
      attributes: { "messaging.operation.type": "settle", "messaging.consumer.group.name": groupId },
    });
  });

  test("of a batch of records is one span on either side, linked", async () => {
    const { kafka, spans } = setUp();
    const topic = await newTopic();
    const producer = kafka.producer();
    await producer.send(topic, [{ value: "a" }, { value: "b" }]);
    await producer.send(topic, { value: "c" });
    await producer.sendAll(topic, [{ value: "d" }, { value: "e" }]);
    const consumer = kafka.consumer(topic, { groupId: uniqueName() });
    let active: string | undefined;
    await consumer.runBatch(
      () => {
        active = activeTrace();
        void consumer.close();
      },
      { maxRecords: 5, maxWaitMs: 20_000 },
    );
    const sent = spans(`send ${topic.name}`);
    expect(sent.map(({ attributes }) => attributes["messaging.batch.message_count"])).toEqual([
      2,
      undefined,
      2,
    ]);
    const [handled, ...others] = spans(`process ${topic.name}`);
    expect(others).toEqual([]);
    expect(handled).toMatchObject({
      kind: SpanKind.CONSUMER,
      parentSpanContext: undefined,
      attributes: { "messaging.batch.message_count": 5, "messaging.destination.partition.id": "0" },
    });
    expect(active).toBe(handled?.spanContext().traceId);
    expect(handled?.links.map((link) => link.context.spanId)).toEqual(
      sent.map((span) => span.spanContext().spanId),
    );
  });

  test("goes through a processor's transaction to whoever reads what it wrote", async () => {
    const { kafka, spans, points } = setUp();
    const [input, output] = [await newTopic(), await newTopic()];
    const groupId = uniqueName();
    const transactionalId = uniqueName();
    const processor = kafka.processor(input, { groupId, transactionalId, commitIntervalMs: 10 });
    const running = processor.run(async ({ value }, tx) => {
      await tx.send(output, { value });
    });
    await kafka.producer().send(input, { value: "one" });
    const consumer = kafka.consumer(output, { groupId: uniqueName() });
    await consumer.run(() => {
      void consumer.close();
    });
    await processor.close();
    await running;
    const chain = [
      spans(`send ${input.name}`)[0],
      spans(`process ${input.name}`)[0],
      spans(`send ${output.name}`)[0],
      spans(`process ${output.name}`)[0],
    ];
    expect(new Set(chain.map((span) => span?.spanContext().traceId)).size).toBe(1);
    expect(chain.slice(1).map((span) => span?.parentSpanContext?.spanId)).toEqual(
      chain.slice(0, -1).map((span) => span?.spanContext().spanId),
    );
    expect(spans(`commit ${input.name}`)[0]?.attributes).toMatchObject({
      "messaging.consumer.group.name": groupId,
      "typed_kafka.transactional_id": transactionalId,
      "typed_kafka.transaction.outcome": "committed",
    });
    expect(await points("typed_kafka.transactions")).toContainEqual({
      value: 1,
      attributes: {
        "messaging.system": "kafka",
        "messaging.consumer.group.name": groupId,
        "typed_kafka.transaction.outcome": "committed",
      },
    });
  });

  test("of a transaction has the transaction as a span around its sends, with its outcome", async () => {
    const { kafka, spans, within, points } = setUp();
    const topic = await newTopic();
    const transactionalId = uniqueName();
    const producer = kafka.transactionalProducer({ transactionalId });
    const traceId = await within("pay", async (span) => {
      await producer.transaction(async (tx) => {
        await tx.send(topic, { value: "kept" });
      });
      return span.spanContext().traceId;
    });
    const mine = new RangeError("no money");
    const failing = producer.transaction(async (tx) => {
      await tx.send(topic, { value: "dropped" });
      throw mine;
    });
    expect(await errorOf(failing)).toBe(mine);
    const [committed, aborted] = spans("transaction");
    expect(committed).toMatchObject({
      kind: SpanKind.INTERNAL,
      status: { code: SpanStatusCode.UNSET },
      attributes: {
        "typed_kafka.transactional_id": transactionalId,
        "typed_kafka.transaction.outcome": "committed",
      },
    });
    const [kept] = spans(`send ${topic.name}`);
    expect(kept?.parentSpanContext?.spanId).toBe(committed?.spanContext().spanId);
    expect(kept?.spanContext().traceId).toBe(traceId);
    expect(aborted).toMatchObject({
      status: { code: SpanStatusCode.ERROR, message: "no money" },
      attributes: { "error.type": "RangeError", "typed_kafka.transaction.outcome": "aborted" },
    });
    const counted = await points("typed_kafka.transactions");
    expect(
      counted.map(({ value, attributes }) => [value, attributes["typed_kafka.transaction.outcome"]]),
    ).toEqual([
      [1, "committed"],
      [1, "aborted"],
    ]);
  });

  test("stays the same through retries, a retry topic and the dead letters", async () => {
    const { kafka, spans, points } = setUp();
    const topic = await newTopic();
    const groupId = uniqueName();
    const consumer = kafka.consumer(topic, {
      groupId,
      retry: { attempts: 2, initialDelayMs: 1 },
      retryTopics: { delaysMs: [50] },
      deadLetter: true,
    });
    const running = consumer.run(() => {
      throw new TypeError("never");
    });
    await kafka.producer().send(topic, { value: "bad" });
    const [sent] = spans(`send ${topic.name}`);
    const letters = kafka.consumer(defineTopic(`${topic.name}.${groupId}.dead-letter`, { value: string() }), {
      groupId: uniqueName(),
    });
    await until("the dead letter is written", async () => {
      const counted = await points("typed_kafka.failures");
      return counted.some(({ attributes }) => attributes["typed_kafka.failure.action"] === "dead-letter");
    });
    let read: string | undefined;
    await letters.run(() => {
      read = activeTrace();
      void letters.close();
    });
    await consumer.close();
    await running;
    expect(read).toBe(sent?.spanContext().traceId);
    const calls = spans(`process ${topic.name}`);
    expect(calls.map(({ attributes }) => attributes["typed_kafka.attempt"])).toEqual([1, 2, 3]);
    for (const call of calls)
      expect(call).toMatchObject({
        parentSpanContext: { spanId: sent?.spanContext().spanId },
        status: { code: SpanStatusCode.ERROR, message: "never" },
        attributes: { "error.type": "TypeError", "messaging.kafka.offset": 0 },
      });
    // What moved the record sent nothing of its own.
    expect(spans(`send ${topic.name}`)).toHaveLength(1);
    expect(
      (await points("typed_kafka.failures")).map(({ value, attributes }) => [
        value,
        attributes["typed_kafka.failure.action"],
        attributes["typed_kafka.failure.reason"],
        attributes["messaging.destination.name"],
      ]),
    ).toEqual([
      [1, "retry", "handler", topic.name],
      [1, "retry-topic", "handler", topic.name],
      [1, "dead-letter", "handler", topic.name],
    ]);
  });

  test("of a loop has each record from its delivery to the next one", async () => {
    const { kafka, spans } = setUp();
    const topic = await newTopic();
    await kafka.producer().send(topic, [{ value: "a" }, { value: "b" }, { value: "c" }]);
    const [sent] = spans(`send ${topic.name}`);
    for await (const record of kafka.consumer(topic, { groupId: uniqueName() })) {
      expect(spans(`process ${topic.name}`)).toHaveLength(record.offset);
      expect(activeTrace()).toBeUndefined();
      expect(trace.getSpanContext(contextOf(record))?.spanId).toBeUndefined();
      if (record.value === "c") break;
    }
    expect(
      spans(`process ${topic.name}`).map(({ attributes, parentSpanContext }) => [
        attributes["messaging.kafka.offset"],
        parentSpanContext?.spanId,
      ]),
    ).toEqual([0, 1, 2].map((offset) => [offset, sent?.spanContext().spanId]));
  });

  test("of any other client goes on, by its traceparent", async () => {
    const { kafka, spans, within } = setUp();
    const topic = await newTopic();
    await using other = new Kafka({ brokers, logger: silent });
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    await other.producer().send(topic, { value: "hi", headers: { traceparent, tracestate: "vendor=1" } });
    const consumer = kafka.consumer(topic, { groupId: uniqueName() });
    // What is active where the consumer begins is nothing that a record came from.
    await within("start", () =>
      consumer.run(() => {
        void consumer.close();
      }),
    );
    const [handled] = spans(`process ${topic.name}`);
    expect(spans(`commit ${topic.name}`)).toMatchObject([{ parentSpanContext: undefined }]);
    expect(handled?.spanContext().traceId).toBe("0af7651916cd43dd8448eb211c80319c");
    expect(handled?.spanContext().traceState?.get("vendor")).toBe("1");
    expect(handled?.parentSpanContext).toMatchObject({ spanId: "b7ad6b7169203331", isRemote: true });
  });
});

describe("headers", () => {
  test("of the caller stay as they are: objects, names and order", async () => {
    const { kafka, spans } = setUp();
    const topic = await newTopic();
    const producer = kafka.producer();
    const own = Object.freeze({ value: "own", headers: Object.freeze({ traceparent: "mine", b: "2" }) });
    const other = Object.freeze({ value: "other", headers: Object.freeze({ a: ["1", "2"] }) });
    await producer.send(topic, own);
    await producer.send(topic, Object.freeze([other]));
    await producer.sendAll(topic, [{ value: "all" }]);
    const headers: (readonly [string, string])[][] = [];
    for await (const { rawHeaders } of kafka.read(topic))
      headers.push(rawHeaders.map(([name, value]) => [name, String(value)]));
    const [, second, third] = spans(`send ${topic.name}`).map((span) => span.spanContext());
    expect(headers).toEqual([
      [
        ["traceparent", "mine"],
        ["b", "2"],
      ],
      [
        ["a", "1"],
        ["a", "2"],
        ["traceparent", `00-${second?.traceId}-${second?.spanId}-01`],
      ],
      [["traceparent", `00-${third?.traceId}-${third?.spanId}-01`]],
    ]);
  });

  test("of a topic with a schema need not know of the context", async () => {
    const { kafka } = setUp();
    const topic = defineTopic(await createTopic(), {
      value: string(),
      headers: z.strictObject({ tenant: z.string() }),
    });
    await expect(
      kafka.producer().send(topic, { value: "v", headers: { tenant: "t" } }),
    ).resolves.toMatchObject({
      offset: 0,
    });
  });
});

describe("metrics", () => {
  test("count what is sent, handled and committed, and time it", async () => {
    const { kafka, points } = setUp();
    const topic = await newTopic();
    const producer = kafka.producer();
    await producer.send(topic, [{ value: "a" }, { value: "b" }]);
    await producer.send(topic, { value: "c" });
    const groupId = uniqueName();
    const consumer = kafka.consumer(topic, { groupId });
    let handled = 0;
    const running = consumer.run(() => {
      handled += 1;
    });
    await until("all are handled", () => handled === 3);
    await consumer.commit();
    const sending = {
      "messaging.system": "kafka",
      "messaging.operation.name": "send",
      "messaging.operation.type": "send",
      "messaging.destination.name": topic.name,
    };
    const processing = {
      "messaging.system": "kafka",
      "messaging.operation.name": "process",
      "messaging.operation.type": "process",
      "messaging.destination.name": topic.name,
      "messaging.consumer.group.name": groupId,
    };
    const committing = {
      ...processing,
      "messaging.operation.name": "commit",
      "messaging.operation.type": "settle",
    };
    expect(await points("messaging.client.sent.messages")).toEqual([{ value: 3, attributes: sending }]);
    expect(await points("messaging.client.consumed.messages")).toEqual([
      { value: 3, attributes: processing },
    ]);
    expect(await points("messaging.process.duration")).toEqual([{ value: 3, attributes: processing }]);
    expect(await points("messaging.client.operation.duration")).toEqual([
      { value: 2, attributes: sending },
      { value: 1, attributes: committing },
    ]);
    expect(await points("typed_kafka.rebalances")).toEqual([
      {
        value: 1,
        attributes: {
          "messaging.system": "kafka",
          "messaging.consumer.group.name": groupId,
          "typed_kafka.rebalance.type": "assigned",
        },
      },
    ]);
    await consumer.close();
    await running;
  });

  test("tell how far behind a consumer is, while it runs", async () => {
    const { kafka, points } = setUp();
    const topic = await newTopic();
    const producer = kafka.producer();
    await producer.send(
      topic,
      Array.from({ length: 10 }, (_, index) => ({ value: String(index) })),
    );
    const groupId = uniqueName();
    const consumer = kafka.consumer(topic, { groupId });
    let release: () => void = () => undefined;
    const running = consumer.run(async ({ offset }) => {
      if (offset === 4)
        await new Promise<void>((resolve) => {
          release = resolve;
        });
    });
    await until("the lag is known", async () => {
      const [point] = await points("typed_kafka.consumer.lag");
      return point?.value === 6;
    });
    expect((await points("typed_kafka.consumer.lag"))[0]?.attributes).toEqual({
      "messaging.system": "kafka",
      "messaging.consumer.group.name": groupId,
      "messaging.destination.name": topic.name,
      "messaging.destination.partition.id": "0",
    });
    release();
    await until("it has caught up", async () => (await points("typed_kafka.consumer.lag"))[0]?.value === 0);
    await consumer.close();
    await running;
  });

  test("say why a send failed, and count only what was on its way", async () => {
    const { kafka, spans, points } = setUp();
    const topic = await newTopic();
    const producer = kafka.producer({ deliveryTimeoutMs: 1_000 });
    await errorOf(producer.send(topic, { value: 7 as unknown as string }));
    const missing = defineTopic(uniqueName("missing"), { value: string() });
    await errorOf(producer.send(missing, { value: "v" }));
    expect(spans(`send ${topic.name}`)[0]).toMatchObject({
      status: { code: SpanStatusCode.ERROR },
      attributes: { "error.type": "SERIALIZATION" },
    });
    const sent = await points("messaging.client.sent.messages");
    expect(
      sent.map(({ value, attributes }) => [
        value,
        attributes["messaging.destination.name"],
        attributes["error.type"],
      ]),
    ).toEqual([[1, missing.name, "UNKNOWN_TOPIC"]]);
  });

  test("count what does not decode, by what becomes of it", async () => {
    const { kafka, points } = setUp();
    const name = await createTopic();
    await kafka.producer().send(defineTopic(name, { value: string() }), [{ value: "{" }, { value: "1" }]);
    const numbers = defineTopic(name, { value: z.number() });
    const consumer = kafka.consumer(numbers, { groupId: uniqueName(), onInvalid: "skip" });
    await consumer.run(() => {
      void consumer.close();
    });
    expect(
      (await points("typed_kafka.failures")).map(({ value, attributes }) => [value, attributes]),
    ).toEqual([
      [
        1,
        expect.objectContaining({
          "messaging.destination.name": name,
          "typed_kafka.failure.reason": "invalid",
          "typed_kafka.failure.action": "skip",
        }),
      ],
    ]);
  });
});
