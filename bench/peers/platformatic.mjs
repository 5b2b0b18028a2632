// @platformatic/kafka: a client in JavaScript, built on streams.
import { setTimeout as sleep } from "node:timers/promises";
import {
  Consumer,
  ProduceAcks,
  Producer,
  stringDeserializer,
  stringSerializer,
  stringSerializers,
} from "@platformatic/kafka";
import { check, decode, encode, keyOf, makeValues } from "../workload.mjs";

async function producerOf(job) {
  const producer = new Producer({
    clientId: "bench",
    bootstrapBrokers: job.brokers.split(","),
    serializers: { ...stringSerializers, key: stringSerializer },
    acks: ProduceAcks.ALL,
    idempotent: true,
    compression: job.compression ?? "none",
  });
  const values = makeValues(job.size);
  const messageOf = (value) => ({ topic: job.topic, key: keyOf(value), value: encode(value) });
  const send = (messages) => producer.send({ messages });
  await send(values.slice(0, job.batch ?? 1000).map(messageOf));
  return { send, values, messageOf };
}

export async function produceBatches(job) {
  const { send, values, messageOf } = await producerOf(job);
  await job.meter.calls(job.inFlight, job.batch, (first) => {
    const from = first % values.length;
    return send(values.slice(from, from + job.batch).map(messageOf));
  });
}

export async function produceSingles(job) {
  const { send, values, messageOf } = await producerOf(job);
  await job.meter.calls(job.inFlight, 1, (first) => send([messageOf(values[first % values.length])]));
}

export async function produceLatency(job) {
  const { send, values, messageOf } = await producerOf(job);
  await job.meter.latencies((number) => send([messageOf(values[number % values.length])]));
}

function streamOf(job) {
  const consumer = new Consumer({
    clientId: "bench",
    groupId: job.group,
    bootstrapBrokers: job.brokers.split(","),
    deserializers: { key: stringDeserializer, value: decode },
    autocommit: 5_000,
    maxWaitTime: 500,
  });
  return consumer.consume({ topics: [job.topic], mode: "earliest" });
}

export async function consumeEach(job) {
  const stream = await streamOf(job);
  if (job.handlerMs === 0) {
    stream.on("data", (message) => {
      void message.value;
      job.meter.record();
    });
    return;
  }
  for await (const message of stream) {
    void message.value;
    await sleep(job.handlerMs);
    job.meter.record();
  }
}

export async function iterate(job) {
  for await (const message of await streamOf(job)) {
    void message.value;
    job.meter.record();
  }
}

/** So many at the same time, as its README does it; that a key's records wait for each other is by hand. */
export async function consumeKeys(job) {
  const stream = await streamOf(job);
  const records = stream[Symbol.asyncIterator]();
  const last = new Map();
  const handle = async (before) => {
    await before;
    await sleep(job.handlerMs);
    job.meter.record();
  };
  const work = async () => {
    for (;;) {
      const { done, value } = await records.next();
      if (done) return;
      const handled = handle(last.get(value.key));
      last.set(value.key, handled);
      await handled;
      if (last.get(value.key) === handled) last.delete(value.key);
    }
  };
  await Promise.all(Array.from({ length: job.concurrency }, work));
}

export async function latency(job, onValue) {
  const { send, messageOf } = await producerOf(job);
  const stream = await streamOf(job);
  stream.on("data", (message) => onValue(message.value));
  return (values) => send(values.map(messageOf));
}

export async function sendOne(job) {
  const producer = new Producer({
    clientId: "bench",
    bootstrapBrokers: job.brokers.split(","),
    serializers: stringSerializers,
    acks: ProduceAcks.ALL,
    idempotent: true,
  });
  const value = check(makeValues(100, 1)[0]);
  await producer.send({ messages: [{ topic: job.topic, key: keyOf(value), value: JSON.stringify(value) }] });
}
