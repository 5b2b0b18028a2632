// @drarzter/kafka-client: typed topics over the binding's API in the style of KafkaJS. It validates with the
// topic's schema by itself.
import { setTimeout as sleep } from "node:timers/promises";
import { KafkaClient, topic } from "@drarzter/kafka-client/core";
import { keyOf, makeValues, schema } from "../workload.mjs";

const quiet = { log: () => {}, debug: () => {}, warn: () => {}, error: console.error };

const connect = (job) =>
  new KafkaClient("bench", job.group ?? "bench", job.brokers.split(","), { logger: quiet });

const topicOf = (name) => topic(name).schema(schema);

async function producerOf(job) {
  const kafka = connect(job);
  await kafka.connectProducer();
  const values = makeValues(job.size);
  const compression = job.compression === undefined ? {} : { compression: job.compression };
  const target = topicOf(job.topic);
  const send = (some) =>
    kafka.sendBatch(
      target,
      some.map((value) => ({ value, key: keyOf(value) })),
      compression,
    );
  const sendSingle = (value) => kafka.sendMessage(target, value, { key: keyOf(value), ...compression });
  await send(values.slice(0, job.batch ?? 1000));
  return { kafka, values, send, sendSingle };
}

export async function produceBatches(job) {
  const { send, values } = await producerOf(job);
  await job.meter.calls(job.inFlight, job.batch, (first) => {
    const from = first % values.length;
    return send(values.slice(from, from + job.batch));
  });
}

export async function produceSingles(job) {
  const { sendSingle, values } = await producerOf(job);
  await job.meter.calls(job.inFlight, 1, (first) => sendSingle(values[first % values.length]));
}

export async function produceLatency(job) {
  const { sendSingle, values } = await producerOf(job);
  await job.meter.latencies((number) => sendSingle(values[number % values.length]));
}

export async function consumeEach(job) {
  await connect(job).startConsumer(
    [topicOf(job.topic)],
    async ({ payload }) => {
      void payload;
      if (job.handlerMs > 0) await sleep(job.handlerMs);
      job.meter.record();
    },
    { fromBeginning: true },
  );
}

export async function consumeBatches(job) {
  await connect(job).startBatchConsumer(
    [topicOf(job.topic)],
    async (envelopes) => {
      for (const { payload } of envelopes) {
        void payload;
        job.meter.record();
      }
    },
    { fromBeginning: true },
  );
}

export async function iterate(job) {
  const options = { fromBeginning: true, queueHighWaterMark: 10_000 };
  for await (const { payload } of connect(job).consume(topicOf(job.topic), options)) {
    void payload;
    job.meter.record();
  }
}

export async function latency(job, onValue) {
  const { kafka, send } = await producerOf(job);
  await kafka.startConsumer([topicOf(job.topic)], async ({ payload }) => onValue(payload), {
    fromBeginning: true,
  });
  return send;
}

export async function exactlyOnce(job) {
  const kafka = connect(job);
  await kafka.connectProducer();
  const output = topicOf(job.output);
  await kafka.startTransactionalConsumer(
    [topicOf(job.topic)],
    async ({ payload }, tx) => {
      await tx.send(output, payload, { key: keyOf(payload) });
      job.meter.record();
    },
    { fromBeginning: true },
  );
}

export async function sendOne(job) {
  const kafka = connect(job);
  await kafka.connectProducer();
  const [value] = makeValues(100, 1);
  await kafka.sendMessage(topicOf(job.topic), value, { key: keyOf(value) });
}
