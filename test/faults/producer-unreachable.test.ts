import { EventEmitter } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { DeliveryError, Kafka, type ProducerOptions, TimeoutError } from "typed-kafka";
import { textTopic, until } from "../support/consuming.js";
import { type KafkaCluster, startKafka } from "../support/kafka-cluster.js";
import { readLog } from "../support/read-log.js";
import { deliveryErrorOf } from "../support/outcomes.js";
import { silent } from "../support/silent.js";
import { createTopic } from "../support/topics.js";
import type { TcpProxy } from "../support/tcp-proxy.js";

let cluster: KafkaCluster;
let proxy: TcpProxy;
let kafka: Kafka;

beforeAll(async () => {
  cluster = await startKafka({ proxied: true });
  if (cluster.nodes[0].proxy === undefined) throw new Error("no proxy");
  proxy = cluster.nodes[0].proxy;
  kafka = new Kafka({ brokers: cluster.brokers, logger: silent });
});
afterEach(() => proxy.restore());
afterAll(async () => {
  await kafka.close();
  await cluster.close();
});

const logOf = (topic: string) => readLog(cluster.brokers, topic, { partitions: 1 });

/** A producer that has sent one record, to a topic of its own. */
async function begun(options: ProducerOptions = {}) {
  const texts = textTopic(await createTopic({ brokers: cluster.brokers }));
  const producer = kafka.producer(options);
  await producer.send(texts, { value: "first" });
  return { texts, producer };
}

const statusesOf = (failure: DeliveryError): string[] => failure.results.map(({ status }) => status);
const values = (count: number, prefix = "v") =>
  Array.from({ length: count }, (_, index) => ({ value: `${prefix}${index}` }));

describe("a broker that cannot be reached", () => {
  test("for 2 s costs nothing but time: what was sent meanwhile is written once", async () => {
    const { texts, producer } = await begun();
    proxy.cut();
    const sent = Array.from({ length: 200 }, (_, index) => producer.send(texts, { value: `v${index}` }));
    await sleep(2_000);
    await proxy.restore();
    await Promise.all(sent);
    const log = await logOf(texts.name);
    expect(log.map(({ value }) => value)).toEqual(["first", ...values(200).map(({ value }) => value)]);
  });

  test("whose answers are lost has its requests repeated, and writes each record once", async () => {
    const { texts, producer } = await begun();
    proxy.blackhole("downstream");
    const sent = values(50).map((record) => producer.send(texts, record));
    await sleep(1_000);
    proxy.cut();
    await sleep(500);
    await proxy.restore();
    await Promise.all(sent);
    expect(await logOf(texts.name)).toHaveLength(51);
  });

  test("for 10 s, within deliveryTimeoutMs, loses nothing either; killed and started again", async () => {
    const { texts, producer } = await begun({ deliveryTimeoutMs: 60_000 });
    const sent = producer.send(texts, values(1_000));
    await cluster.nodes[0].kill();
    const late = producer.send(texts, values(1_000, "w"));
    const all = producer.sendAll(texts, values(1_000, "x"));
    await sleep(10_000);
    await cluster.nodes[0].start();
    await Promise.all([sent, late, all]);
    const log = await logOf(texts.name);
    expect(new Set(log.map(({ value }) => value)).size).toBe(log.length);
    expect(log).toHaveLength(3_001);
  });

  test("for longer than deliveryTimeoutMs fails with TIMEOUT, of unknown outcome, and is used again afterwards", async () => {
    const { texts, producer } = await begun({ deliveryTimeoutMs: 1_500 });
    await producer.sendAll(texts, values(1));
    proxy.cut();
    const begin = performance.now();
    const failure = await deliveryErrorOf(producer.send(texts, [{ value: "a" }, { value: "b" }]));
    expect(performance.now() - begin).toBeLessThan(4_000);
    expect(failure).toMatchObject({ code: "TIMEOUT", topic: texts.name, acknowledged: 0 });
    expect(failure.message).toContain("deliveryTimeoutMs (1500 ms)");
    expect(statusesOf(failure)).toEqual(["unknown", "unknown"]);
    const all = await deliveryErrorOf(producer.sendAll(texts, values(10)));
    expect(all).toMatchObject({ code: "TIMEOUT", acknowledged: 0 });
    await proxy.restore();
    await until("the producer writes again", () =>
      producer.send(texts, { value: "c" }).then(
        () => true,
        () => false,
      ),
    );
    const log = await logOf(texts.name);
    expect(log.at(-1)?.value).toBe("c");
    expect(new Set(log.map(({ value }) => value)).size).toBe(log.length);
  });
});

describe("limits of one call", () => {
  test("end the wait: what is on its way has become unknown, the rest was not sent", async () => {
    const { texts, producer } = await begun({ maxInFlightRecords: 2 });
    proxy.blackhole();
    const abort = new AbortController();
    const aborted = deliveryErrorOf(producer.send(texts, values(3), { signal: abort.signal }));
    const limited = producer.send(texts, { value: "w" }, { timeoutMs: 300 }).catch((error: unknown) => error);
    expect(await limited).toBeInstanceOf(TimeoutError);
    const reason = new Error("enough");
    abort.abort(reason);
    const failure = await aborted;
    expect(failure.cause).toBe(reason);
    expect(statusesOf(failure)).toEqual(["unknown", "unknown", "failed"]);
    await expect(producer.send(texts, { value: "x" }, { signal: abort.signal })).rejects.toBe(reason);
    await expect(producer.flush({ timeoutMs: 100 })).resolves.toBeUndefined();
    await proxy.restore();
    await producer.send(texts, { value: "last" });
    const log = await logOf(texts.name);
    expect(log.map(({ value }) => value)).toEqual(["first", "v0", "v1", "last"]);
  });

  test("end a flush, and the sends go on", async () => {
    const { texts, producer } = await begun();
    proxy.blackhole();
    const sent = producer.send(texts, { value: "a" });
    await expect(producer.flush({ timeoutMs: 200 })).rejects.toThrow(TimeoutError);
    await expect(producer.flush({ signal: AbortSignal.timeout(100) })).rejects.toThrow("aborted");
    await proxy.restore();
    await producer.flush();
    await sent;
  });

  test("end a sendAll within seconds, and it asks its source for no more than the window, and what waits for it, hold", async () => {
    const { texts, producer } = await begun({ maxInFlightRecords: 500 });
    await producer.sendAll(texts, values(1));
    proxy.blackhole();
    let asked = 0;
    function* endless() {
      for (;;) {
        asked += 1;
        yield { value: "x" };
      }
    }
    const begin = performance.now();
    const failure = await deliveryErrorOf(
      producer.sendAll(texts, endless(), { signal: AbortSignal.timeout(1_000) }),
    );
    expect(performance.now() - begin).toBeLessThan(4_000);
    expect(asked).toBeLessThanOrEqual(2 * 500);
    expect(failure.acknowledged).toBe(0);
    expect(failure.message).toContain("and more may have been");
  });
});

describe("overload", () => {
  test("slows senders and loses nothing; where nobody waits, it is bounded and says so", async () => {
    const { texts, producer } = await begun({ maxInFlightRecords: 100, maxWaitingRecords: 1_000 });
    proxy.blackhole();
    const events = new EventEmitter();
    const outcomes: Promise<string>[] = [];
    events.on("reading", (value: string) => {
      outcomes.push(
        producer.send(texts, { value }).then(
          () => value,
          (error: unknown) => {
            expect(error).toMatchObject({ name: "DeliveryError", retriable: true, acknowledged: 0 });
            expect((error as Error).message).toContain("maxWaitingRecords 1000");
            return "refused";
          },
        ),
      );
    });
    for (let index = 0; index < 5_000; index += 1) {
      events.emit("reading", `r${index}`);
      if (index % 500 === 0) await sleep(10);
    }
    await proxy.restore();
    const written = (await Promise.all(outcomes)).filter((outcome) => outcome !== "refused");
    expect(written.length).toBeGreaterThanOrEqual(1_000);
    expect(written.length).toBeLessThan(2_000);
    const log = await logOf(texts.name);
    expect(log.map(({ value }) => value)).toEqual(["first", ...written]);
  });

  test("by a call of 100,000 records does not keep a single one waiting for its end", async () => {
    const { texts, producer } = await begun({ maxInFlightRecords: 1_000 });
    let isDone = false;
    const large = producer.send(texts, values(100_000)).then(() => {
      isDone = true;
    });
    for (let index = 0; index < 5; index += 1) {
      await producer.send(texts, { value: "single" });
      expect(isDone).toBe(false);
    }
    await large;
  });

  test("gives up calls that got no turn for as long as deliveryTimeoutMs", async () => {
    const { texts, producer } = await begun({ maxInFlightRecords: 1, deliveryTimeoutMs: 2_000 });
    proxy.blackhole();
    const outcomes = await Promise.allSettled(values(3).map((record) => producer.send(texts, record)));
    const reasons = outcomes.map((outcome) => (outcome as PromiseRejectedResult).reason as Error);
    expect(reasons[0]).toBeInstanceOf(DeliveryError);
    expect(reasons[2]).toBeInstanceOf(TimeoutError);
    expect(reasons[2]?.message).toContain("nothing was sent");
  });
});

describe("close with records in flight", () => {
  test("lets them arrive", async () => {
    const { texts, producer } = await begun({ lingerMs: 100 });
    const sent = producer.send(texts, values(5_000));
    await producer.close();
    expect(await sent).toHaveLength(5_000);
  });

  test("that cannot arrive says after closeTimeoutMs which are unknown, and ends", async () => {
    const { texts, producer } = await begun({ maxInFlightRecords: 2, closeTimeoutMs: 500 });
    await producer.sendAll(texts, values(1));
    proxy.blackhole();
    const [half, none, all] = [
      deliveryErrorOf(producer.send(texts, values(3))),
      producer.send(texts, { value: "x" }).catch((error: unknown) => error),
      deliveryErrorOf(producer.sendAll(texts, values(10))),
    ];
    const begin = performance.now();
    await producer.close();
    expect(performance.now() - begin).toBeLessThan(4_000);
    expect(await half).toMatchObject({ code: "CLOSED" });
    expect(statusesOf(await half)).toEqual(["unknown", "unknown", "failed"]);
    expect(await none).toMatchObject({ name: "ClosedError" });
    expect(await all).toMatchObject({ code: "CLOSED", acknowledged: 0 });
    await producer.close();
  });
});
