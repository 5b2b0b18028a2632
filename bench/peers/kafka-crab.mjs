// kafka-crab-js: librdkafka behind Rust, for Node 24.
import { setTimeout as sleep } from "node:timers/promises";
import { KafkaClient } from "kafka-crab-js";
import { byKey, decode, encode, keyOf, makeValues } from "../workload.mjs";

const connect = ({ brokers }) => new KafkaClient({ brokers, clientId: "bench", diagnostics: false });

const messageOf = (value) => ({ key: Buffer.from(keyOf(value)), payload: Buffer.from(encode(value)) });

async function producerOf(job) {
  const producer = connect(job).createProducer({
    configuration: {
      "enable.idempotence": true,
      acks: "all",
      partitioner: "murmur2_random",
      "linger.ms": job.lingerMs ?? 0,
      "compression.type": job.compression ?? "none",
    },
  });
  const values = makeValues(job.size);
  const send = (messages) => producer.send({ topic: job.topic, messages });
  await send(values.slice(0, 1000).map(messageOf));
  return { send, values };
}

export async function produceBatches(job) {
  const { send, values } = await producerOf(job);
  await job.meter.calls(job.inFlight, job.batch, (first) => {
    const from = first % values.length;
    return send(values.slice(from, from + job.batch).map(messageOf));
  });
}

export async function produceSingles(job) {
  const { send, values } = await producerOf(job);
  await job.meter.calls(job.inFlight, 1, (first) => send([messageOf(values[first % values.length])]));
}

export async function produceLatency(job) {
  const { send, values } = await producerOf(job);
  await job.meter.latencies((number) => send([messageOf(values[number % values.length])]));
}

/** The stream of a consumer ends when the consumer is collected. */
const inUse = [];

async function readerOf(job, options) {
  const { consumer, stream } = connect(job).createWebStreamConsumer({
    groupId: job.group,
    enableAutoCommit: true,
    configuration: { "auto.offset.reset": "earliest", "fetch.queue.backoff.ms": 10 },
    ...options,
  });
  inUse.push(consumer);
  await consumer.subscribe(job.topic);
  const reader = stream.getReader();
  return async () => {
    const { value, done } = await reader.read();
    if (done) throw new Error("its stream has ended");
    return value;
  };
}

// What its own comparison of throughput uses.
const batches = { batchSize: 4096, batchTimeout: 2 };

const read = ({ key, payload }) => {
  key.toString();
  return decode(payload);
};

/** One record per read, by its serial stream. */
async function serial(job) {
  const next = await readerOf(job);
  for (;;) {
    read(await next());
    if (job.handlerMs > 0) await sleep(job.handlerMs);
    job.meter.record();
  }
}

export { serial as consumeEach, serial as iterate };

export async function consumeBatches(job) {
  const next = await readerOf(job, batches);
  for (;;) {
    for (const message of await next()) {
      read(message);
      job.meter.record();
    }
  }
}

export async function consumeKeys(job) {
  const next = await readerOf(job, batches);
  for (;;) {
    await byKey(
      await next(),
      ({ key }) => key.toString(),
      job.concurrency,
      async (message) => {
        read(message);
        await sleep(job.handlerMs);
        job.meter.record();
      },
    );
  }
}

export async function latency(job, onValue) {
  const { send } = await producerOf(job);
  const next = await readerOf(job);
  void (async () => {
    for (;;) onValue(read(await next()));
  })();
  return (values) => send(values.map(messageOf));
}

export async function sendOne(job) {
  const producer = connect(job).createProducer({
    configuration: { "enable.idempotence": true, acks: "all" },
  });
  await producer.send({ topic: job.topic, messages: [messageOf(makeValues(100, 1)[0])] });
}
