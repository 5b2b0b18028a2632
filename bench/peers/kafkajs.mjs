// kafkajs: a client in JavaScript alone.
import { setTimeout as sleep } from "node:timers/promises";
import kafkajs from "kafkajs";
import { byKey, decode, encode, keyOf, makeValues } from "../workload.mjs";

const { Kafka, Partitioners, logLevel } = kafkajs;

const connect = ({ brokers }) => new Kafka({ brokers: brokers.split(","), logLevel: logLevel.ERROR });

const messageOf = (value) => ({ key: keyOf(value), value: encode(value) });

const producerOptions = {
  idempotent: true,
  createPartitioner: Partitioners.DefaultPartitioner,
};

async function producerOf(job) {
  const producer = connect(job).producer({ ...producerOptions, idempotent: job.idempotent ?? true });
  await producer.connect();
  const values = makeValues(job.size);
  const send = (messages) => producer.send({ topic: job.topic, acks: -1, messages });
  await send(values.slice(0, job.batch ?? 1000).map(messageOf));
  return { values, send };
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

async function consumerOf(job) {
  const consumer = connect(job).consumer({ groupId: job.group, maxWaitTimeInMs: 500 });
  await consumer.connect();
  await consumer.subscribe({ topic: job.topic, fromBeginning: true });
  return consumer;
}

const read = ({ key, value }) => {
  key.toString();
  return decode(value);
};

export async function consumeEach(job) {
  const consumer = await consumerOf(job);
  await consumer.run({
    autoCommitInterval: 5_000,
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
    autoCommitInterval: 5_000,
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
    autoCommitInterval: 5_000,
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
  const { send } = await producerOf(job);
  const consumer = await consumerOf(job);
  await consumer.run({
    eachMessage: async ({ message }) => {
      onValue(read(message));
    },
  });
  return (values) => send(values.map(messageOf));
}

export async function exactlyOnce(job) {
  const producer = connect(job).producer({
    ...producerOptions,
    transactionalId: job.group,
    maxInFlightRequests: 1,
  });
  await producer.connect();
  const consumer = await consumerOf(job);
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    eachBatch: async ({ batch, resolveOffset }) => {
      const { messages } = batch;
      // A whole fetch in one request would be larger than a broker takes.
      for (let from = 0; from < messages.length; from += 5_000) {
        const part = messages.slice(from, from + 5_000);
        const last = part.at(-1).offset;
        const transaction = await producer.transaction();
        try {
          await transaction.send({ topic: job.output, messages: part.map((m) => messageOf(read(m))) });
          const offset = String(Number(last) + 1);
          await transaction.sendOffsets({
            consumerGroupId: job.group,
            topics: [{ topic: batch.topic, partitions: [{ partition: batch.partition, offset }] }],
          });
          await transaction.commit();
        } catch (error) {
          await transaction.abort();
          throw error;
        }
        resolveOffset(last);
        for (let count = part.length; count > 0; count -= 1) job.meter.record();
      }
    },
  });
}

export async function transactions(job) {
  const producer = connect(job).producer({
    ...producerOptions,
    transactionalId: job.group,
    maxInFlightRequests: 1,
  });
  await producer.connect();
  const values = makeValues();
  const one = async (number) => {
    const transaction = await producer.transaction();
    await transaction.send({ topic: job.topic, messages: [messageOf(values[number % values.length])] });
    await transaction.commit();
  };
  await one(0);
  await job.meter.latencies(one);
}

export async function sendOne(job) {
  const producer = connect(job).producer(producerOptions);
  await producer.connect();
  await producer.send({ topic: job.topic, acks: -1, messages: [messageOf(makeValues(100, 1)[0])] });
}
