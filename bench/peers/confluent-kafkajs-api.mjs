// The binding's own API in the style of KafkaJS, tuned as its MIGRATION.md says.
import { setTimeout as sleep } from "node:timers/promises";
import binding from "@confluentinc/kafka-javascript";
import { byKey, decode, encode, keyOf, makeValues } from "../workload.mjs";

const { Kafka, logLevel } = binding.KafkaJS;

const connect = ({ brokers }) =>
  new Kafka({ kafkaJS: { brokers: brokers.split(","), logLevel: logLevel.ERROR } });

const messageOf = (value) => ({ key: keyOf(value), value: encode(value) });

async function producerOf(job) {
  const producer = connect(job).producer({
    kafkaJS: { acks: -1, idempotent: true, compression: job.compression ?? "none" },
    "linger.ms": job.lingerMs ?? 0,
    ...job.properties,
  });
  await producer.connect();
  const values = makeValues(job.size);
  await producer.send({ topic: job.topic, messages: values.slice(0, 1000).map(messageOf) });
  return { producer, values };
}

export async function produceBatches(job) {
  const { producer, values } = await producerOf(job);
  await job.meter.calls(job.inFlight, job.batch, (first) => {
    const from = first % values.length;
    return producer.send({ topic: job.topic, messages: values.slice(from, from + job.batch).map(messageOf) });
  });
}

export async function produceSingles(job) {
  const { producer, values } = await producerOf(job);
  await job.meter.calls(job.inFlight, 1, (first) =>
    producer.send({ topic: job.topic, messages: [messageOf(values[first % values.length])] }),
  );
}

export async function produceLatency(job) {
  const { producer, values } = await producerOf(job);
  await job.meter.latencies((number) =>
    producer.send({ topic: job.topic, messages: [messageOf(values[number % values.length])] }),
  );
}

async function consumerOf(job, more = {}) {
  const consumer = connect(job).consumer({
    kafkaJS: { groupId: job.group, fromBeginning: true, ...more },
    "fetch.queue.backoff.ms": 10,
    "js.consumer.max.batch.size": 1000,
    "js.consumer.max.cache.size.per.worker.ms": 10_000,
  });
  await consumer.connect();
  await consumer.subscribe({ topic: job.topic });
  return consumer;
}

const read = ({ key, value }) => {
  key.toString();
  return decode(value);
};

export async function consumeEach(job) {
  const consumer = await consumerOf(job);
  await consumer.run({
    partitionsConsumedConcurrently: job.handlerMs === 0 ? 1 : 8,
    eachMessage: async ({ message }) => {
      read(message);
      if (job.handlerMs > 0) await sleep(job.handlerMs);
      job.meter.record();
    },
  });
}

export async function consumeBatches(job) {
  const consumer = await consumerOf(job);
  await consumer.run({
    eachBatch: async ({ batch }) => {
      for (const message of batch.messages) {
        read(message);
        job.meter.record();
      }
    },
  });
}

export async function consumeKeys(job) {
  const consumer = await consumerOf(job);
  await consumer.run({
    partitionsConsumedConcurrently: 8,
    eachBatch: ({ batch }) =>
      byKey(
        batch.messages,
        ({ key }) => key.toString(),
        job.concurrency / 8,
        async (message) => {
          read(message);
          await sleep(job.handlerMs);
          job.meter.record();
        },
      ),
  });
}

export async function latency(job, onValue) {
  const { producer } = await producerOf(job);
  const consumer = await consumerOf(job);
  await consumer.run({
    eachMessage: async ({ message }) => {
      onValue(read(message));
    },
  });
  return (values) => producer.send({ topic: job.topic, messages: values.map(messageOf) });
}

export async function exactlyOnce(job) {
  const kafka = connect(job);
  const producer = kafka.producer({ kafkaJS: { transactionalId: job.group }, "linger.ms": 0 });
  await producer.connect();
  const consumer = await consumerOf(job, { autoCommit: false });
  await consumer.run({
    eachBatchAutoResolve: false,
    eachBatch: async ({ batch, resolveOffset }) => {
      const transaction = await producer.transaction();
      try {
        await transaction.send({
          topic: job.output,
          messages: batch.messages.map((m) => messageOf(read(m))),
        });
        const offset = String(Number(batch.lastOffset()) + 1);
        await transaction.sendOffsets({
          consumer,
          topics: [{ topic: batch.topic, partitions: [{ partition: batch.partition, offset }] }],
        });
        await transaction.commit();
      } catch (error) {
        await transaction.abort();
        throw error;
      }
      resolveOffset(batch.lastOffset());
      for (let count = batch.messages.length; count > 0; count -= 1) job.meter.record();
    },
  });
}

export async function sendOne(job) {
  const producer = connect(job).producer({ kafkaJS: { acks: -1, idempotent: true }, "linger.ms": 0 });
  await producer.connect();
  await producer.send({ topic: job.topic, messages: [messageOf(makeValues(100, 1)[0])] });
}
