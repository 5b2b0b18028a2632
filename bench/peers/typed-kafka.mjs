import { setTimeout as sleep } from "node:timers/promises";
import { defineStore, defineTopic, integer, Kafka } from "../../dist/index.js";
import { keyOf, makeValues, schema } from "../workload.mjs";

const quiet = { debug: () => {}, info: () => {}, warn: console.error, error: console.error };
const connect = ({ brokers, librdkafka = {} }) => new Kafka({ brokers, logger: quiet, librdkafka });
const topicOf = (name) => defineTopic(name, { value: schema, keyOf });

async function producerOf(job) {
  const topic = topicOf(job.topic);
  const producer = connect(job).producer({ compression: job.compression ?? "none" });
  const records = makeValues(job.size).map((value) => ({ value }));
  await producer.send(topic, records.slice(0, 1000));
  return { topic, producer, records };
}

export async function produceBatches(job) {
  const { topic, producer, records } = await producerOf(job);
  const size = job.batch;
  await job.meter.calls(job.inFlight, size, (first) => {
    const from = first % records.length;
    return producer.send(topic, records.slice(from, from + size));
  });
}

export async function produceSingles(job) {
  const { topic, producer, records } = await producerOf(job);
  await job.meter.calls(job.inFlight, 1, (first) => producer.send(topic, records[first % records.length]));
}

export async function produceStream(job) {
  const { topic, producer, records } = await producerOf(job);
  // The client of `sendAll` connects at its first call.
  await producer.sendAll(topic, records.slice(0, 1000));
  await producer.sendAll(topic, job.meter.cycle(records));
  job.meter.finish();
}

export async function produceLatency(job) {
  const { topic, producer, records } = await producerOf(job);
  await job.meter.latencies((number) => producer.send(topic, records[number % records.length]));
}

const consumerOf = (job, options) =>
  connect(job).consumer(topicOf(job.topic), { groupId: job.group, ...options });

export async function consumeEach(job) {
  const handler =
    job.handlerMs === 0
      ? () => job.meter.record()
      : async () => {
          await sleep(job.handlerMs);
          job.meter.record();
        };
  await consumerOf(job).run(handler);
}

/** The same with a handler that is async, as most are. */
export async function consumeEachAsync(job) {
  await consumerOf(job).run(async () => {
    job.meter.record();
  });
}

export async function consumeBatches(job) {
  await consumerOf(job).runBatch(
    (records) => {
      for (const record of records) {
        void record.value;
        job.meter.record();
      }
    },
    { maxRecords: 1000 },
  );
}

/** One of several processes of a group, which all begin at the same time. */
export async function consumeTogether(job) {
  let isTime = false;
  const consumer = consumerOf(job, {
    onRebalance: ({ type, partitions }) => {
      if (type === "assigned" && !isTime) consumer.pause(partitions);
    },
  });
  const begun = new Promise((resolve) => {
    setTimeout(() => {
      isTime = true;
      resolve();
      consumer.resume();
    }, job.startAt - Date.now());
  });
  // A record that was delivered before the pause waits for the beginning too: of a short log it may be the last.
  await consumer.run(() => {
    if (isTime) job.meter.record();
    else return begun.then(() => job.meter.record());
  });
}

export async function consumeKeys(job) {
  await consumerOf(job, { order: "key", concurrency: job.concurrency }).run(async () => {
    await sleep(job.handlerMs);
    job.meter.record();
  });
}

export async function iterate(job) {
  for await (const record of consumerOf(job)) {
    void record.value;
    job.meter.record();
  }
}

/** Where the job has an output, through a processor that copies from the one topic to the other. */
export function latency(job, onValue) {
  const topic = topicOf(job.topic);
  const kafka = connect(job);
  const producer = kafka.producer();
  const last = job.output === undefined ? topic : topicOf(job.output);
  if (last !== topic) {
    void kafka
      .processor(topic, { groupId: `${job.group}-copy`, transactionalId: job.group, ...job.options })
      .run((record, tx) => tx.send(last, { value: record.value }));
  }
  void kafka.consumer(last, { groupId: job.group }).run((record) => onValue(record.value));
  return (values) =>
    values.length === 1
      ? producer.send(topic, { value: values[0] })
      : producer.send(
          topic,
          values.map((value) => ({ value })),
        );
}

/** Exactly once: what the handler sends and the offsets of what it read, in one transaction. */
export async function exactlyOnce(job) {
  const output = topicOf(job.output);
  await processorOf(job, topicOf(job.topic), job.options).run((record, tx) => {
    const sent = tx.send(output, { value: record.value });
    job.meter.record();
    return sent;
  });
}

/** As large as a transaction of the processor may be. */
const inBatches = { maxRecords: 5_000, acrossPartitions: true };

/** What a batch has, in one call. */
async function copyBatch(job, records, sender, output) {
  await sender.send(
    output,
    records.map(({ value }) => ({ value })),
  );
  for (let count = records.length; count > 0; count -= 1) job.meter.record();
}

export async function exactlyOnceBatches(job) {
  const output = topicOf(job.output);
  const processor = processorOf(job, topicOf(job.topic));
  await processor.runBatch((records, tx) => copyBatch(job, records, tx, output), inBatches);
}

/** The same work at least once. */
export async function atLeastOnceBatches(job) {
  const output = topicOf(job.output);
  const kafka = connect(job);
  const producer = kafka.producer();
  const consumer = kafka.consumer(topicOf(job.topic), { groupId: job.group });
  await consumer.runBatch((records) => copyBatch(job, records, producer, output), inBatches);
}

export async function transactions(job) {
  const topic = topicOf(job.topic);
  const producer = connect(job).transactionalProducer({ transactionalId: job.group });
  const records = makeValues().map((value) => ({ value }));
  const one = (number) => producer.transaction((tx) => tx.send(topic, records[number % records.length]));
  await one(0);
  await job.meter.latencies(one);
}

export async function replay(job) {
  for await (const record of connect(job).read(topicOf(job.topic))) {
    void record.value;
    job.meter.record();
  }
  job.meter.finish();
}

const counts = defineStore("counts", { value: integer() });

const processorOf = (job, topic, options) =>
  connect(job).processor(topic, {
    groupId: job.group,
    transactionalId: job.group,
    ...(job.onDisk === true && { stateDirectory: job.scratch }),
    ...options,
  });

/** Exactly once: the count of each key in a store, sent after each record. */
export async function countByKey(job) {
  const output = defineTopic(job.output, { value: integer() });
  await processorOf(job, topicOf(job.topic), { stores: [counts] }).run((record, tx) => {
    void record.value;
    const store = tx.store(counts);
    const count = (store.get(record.key) ?? 0) + 1;
    store.set(record.key, count);
    const sent = tx.send(output, { key: record.key, value: count });
    job.meter.record();
    return sent;
  });
}

/** The topic is the changelog of a store: from the assignment until everything in it is in the store again. */
export async function restore(job) {
  const [group, name] = job.topic.split(".");
  const done = new Map();
  const options = {
    stores: [defineStore(name, { value: schema })],
    // The measurement before this one was of the same group, and did not leave it.
    sessionTimeoutMs: 6_000,
    onRebalance: ({ type }) => type === "assigned" && job.meter.start(),
    onRestore: (progress) => {
      done.set(progress.partition, progress);
      const all = [...done.values()];
      if (all.length < 8 || all.some((each) => each.done < each.total)) return;
      job.meter.finish(
        {},
        all.reduce((sum, { total }) => sum + total, 0),
      );
    },
  };
  job.meter.onTimeOver = () => {};
  await processorOf({ ...job, group }, topicOf(job.output), options).run(() => {});
}

async function tableOf(job) {
  const table = connect(job).table(topicOf(job.topic));
  await table.ready();
  return table;
}

/** From the call to the table that has everything. */
export async function tableReady(job) {
  job.meter.onTimeOver = () => {};
  job.meter.start();
  const table = await tableOf(job);
  job.meter.finish({}, table.size);
}

export async function tableGets(job) {
  const table = await tableOf(job);
  const keys = Array.from(table, ([key]) => key);
  for (const key of job.meter.cycle(keys)) if (table.get(key) === undefined) throw new Error(`no ${key}`);
  job.meter.finish();
}

export async function sendOne(job) {
  await connect(job)
    .producer()
    .send(topicOf(job.topic), { value: makeValues(100, 1)[0] });
}
