// The binding itself, @confluentinc/kafka-javascript, by its low-level API and tuned: the ceiling of
// everything that is built on it.
import { setTimeout as sleep } from "node:timers/promises";
import binding from "@confluentinc/kafka-javascript";
import { byKey, check, decode, encode, keyOf, makeValues } from "../workload.mjs";

const call = (start) =>
  new Promise((resolve, reject) => {
    start((error, result) => (error ? reject(error) : resolve(result)));
  });

async function producerOf(job, properties = {}) {
  const producer = new binding.Producer({
    "bootstrap.servers": job.brokers,
    "enable.idempotence": true,
    acks: -1,
    partitioner: "murmur2_random",
    "linger.ms": job.lingerMs ?? 0,
    "compression.type": job.compression ?? "none",
    "queue.buffering.max.messages": 100_000,
    dr_cb: true,
    ...properties,
  });
  await call((done) => producer.connect({ timeout: 10_000 }, done));
  producer.setPollInBackground(true);
  // What is sent says itself whom to tell.
  producer.on("delivery-report", (error, { opaque }) => opaque?.(error));
  const send = (topic, value, tag) =>
    producer.produce(topic, null, Buffer.from(encode(value)), Buffer.from(keyOf(value)), null, tag);
  return { producer, send };
}

function sendBatch(send, topic, values) {
  return new Promise((resolve, reject) => {
    let left = values.length;
    const reported = (error) => {
      if (error) reject(error);
      left -= 1;
      if (left === 0) resolve();
    };
    for (const value of values) send(topic, value, reported);
  });
}

const sendOneValue = (send, topic, value) =>
  new Promise((resolve, reject) => {
    send(topic, value, (error) => (error ? reject(error) : resolve()));
  });

export async function produceBatches(job) {
  const { send } = await producerOf(job);
  const values = makeValues(job.size);
  await sendBatch(send, job.topic, values.slice(0, 1000));
  await job.meter.calls(job.inFlight, job.batch, (first) => {
    const from = first % values.length;
    return sendBatch(send, job.topic, values.slice(from, from + job.batch));
  });
}

export async function produceSingles(job) {
  const { send } = await producerOf(job);
  const values = makeValues(job.size);
  await sendBatch(send, job.topic, values.slice(0, 1000));
  await job.meter.calls(job.inFlight, 1, (first) =>
    sendOneValue(send, job.topic, values[first % values.length]),
  );
}

/** As many as come. With reports, no more than `window` records may be without theirs. */
async function stream(job, properties, window) {
  const { producer, send } = await producerOf(job, { "linger.ms": 5, ...properties });
  const values = makeValues(job.size);
  await sendWarmUp();
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  let count = 0;
  let reported = 0;
  const onReport = (error) => {
    if (error) throw error;
    reported += 1;
  };
  for (const value of job.meter.cycle(values)) {
    while (!queue(value)) await sleep(2);
    count += 1;
    if (count % 2000 === 0) await turn();
    while (count - reported >= window) await turn();
  }
  await call((done) => producer.flush(60_000, done));
  while (window < Infinity && reported < count) await turn();
  job.meter.finish();

  /** Whether there was room for it. */
  function queue(value) {
    try {
      send(job.topic, value, window < Infinity ? onReport : undefined);
      return true;
    } catch (error) {
      if (error.code !== binding.CODES.ERRORS.ERR__QUEUE_FULL) throw error;
      return false;
    }
  }

  async function sendWarmUp() {
    for (const value of values.slice(0, 1000)) send(job.topic, value, undefined);
    await call((done) => producer.flush(10_000, done));
  }
}

/** Reports of failures alone, and a flush at the end. */
export const produceStream = (job) => stream(job, { "delivery.report.only.error": true }, Infinity);

/** With a report for every record. */
export const produceStreamReports = (job) => stream(job, {}, 20_000);

export async function produceLatency(job) {
  const { send } = await producerOf(job);
  const values = makeValues(job.size);
  await sendBatch(send, job.topic, values.slice(0, 1000));
  await job.meter.latencies((number) => sendOneValue(send, job.topic, values[number % values.length]));
}

async function connectConsumer(job, properties = {}) {
  const consumer = new binding.KafkaConsumer(
    {
      "bootstrap.servers": job.brokers,
      "group.id": job.group,
      "fetch.queue.backoff.ms": 10,
      "queued.max.messages.kbytes": 16_384,
      "isolation.level": "read_committed",
      ...properties,
    },
    { "auto.offset.reset": "earliest" },
  );
  await call((done) => consumer.connect({ timeout: 10_000 }, done));
  consumer.setDefaultConsumeTimeout(100);
  consumer.setDefaultIsTimeoutOnlyForFirstMessage(true);
  return consumer;
}

/** The tuned loop: the next batch is asked for before the one in hand is handled. */
async function consume(job, handleBatch) {
  const consumer = await connectConsumer(job);
  consumer.subscribe([job.topic]);
  const fetch = () => call((done) => consumer.consume(1000, done));
  for (let next = fetch(); ;) {
    const messages = await next;
    next = fetch();
    const later = handleBatch(messages);
    if (later !== undefined) await later;
  }
}

const read = (message) => {
  decode(message.value);
  message.key.toString();
};

export const consumeEach = (job) =>
  consume(
    job,
    job.handlerMs === 0
      ? (messages) => {
          for (const message of messages) {
            read(message);
            job.meter.record();
          }
        }
      : async (messages) => {
          // As the library does by itself: partitions side by side, the records of one in order.
          await byKey(
            messages,
            ({ partition }) => partition,
            64,
            async (message) => {
              read(message);
              await sleep(job.handlerMs);
              job.meter.record();
            },
          );
        },
  );

export { consumeEach as consumeBatches };

export const consumeKeys = (job) =>
  consume(job, (messages) =>
    byKey(
      messages,
      ({ key }) => key.toString(),
      job.concurrency,
      async (message) => {
        read(message);
        await sleep(job.handlerMs);
        job.meter.record();
      },
    ),
  );

/** The loop, one record at a time as an async iterator hands it out. */
export async function iterate(job) {
  const consumer = await connectConsumer(job);
  consumer.subscribe([job.topic]);
  const fetch = () => call((done) => consumer.consume(1000, done));
  async function* records() {
    for (let next = fetch(); ;) {
      const messages = await next;
      next = fetch();
      yield* messages;
    }
  }
  for await (const message of records()) {
    read(message);
    job.meter.record();
  }
}

export async function latency(job, onValue) {
  const { send } = await producerOf(job);
  void consume(job, (messages) => {
    for (const message of messages) onValue(decode(message.value));
  });
  return (values) => {
    for (const value of values) send(job.topic, value, undefined);
  };
}

/** A transaction begins while the broker still writes the end of the one before, and then asks again. */
const transactional = ({ group }) => ({
  "transactional.id": group,
  "retry.backoff.ms": 20,
  "delivery.report.only.error": true,
  dr_cb: false,
});

/** One transaction for each batch of the tuned loop, by hand. */
export async function exactlyOnce(job) {
  const { producer, send } = await producerOf(job, transactional(job));
  await call((done) => producer.initTransactions(10_000, done));
  const consumer = await connectConsumer(job, { "enable.auto.commit": false });
  consumer.subscribe([job.topic]);
  const size = job.batch ?? 5000;
  const fetch = () => call((done) => consumer.consume(size, done));
  for (let next = fetch(); ;) {
    const messages = await next;
    next = fetch();
    if (messages.length === 0) continue;
    await call((done) => producer.beginTransaction(done));
    const offsets = new Map();
    for (const message of messages) {
      send(job.output, decode(message.value), undefined);
      offsets.set(message.partition, {
        topic: message.topic,
        partition: message.partition,
        offset: message.offset + 1,
      });
    }
    await call((done) => producer.sendOffsetsToTransaction([...offsets.values()], consumer, 10_000, done));
    await call((done) => producer.commitTransaction(10_000, done));
    for (let count = messages.length; count > 0; count -= 1) job.meter.record();
  }
}

export async function transactions(job) {
  const { producer, send } = await producerOf(job, transactional(job));
  await call((done) => producer.initTransactions(10_000, done));
  const values = makeValues();
  const one = async (number) => {
    await call((done) => producer.beginTransaction(done));
    send(job.topic, values[number % values.length], undefined);
    await call((done) => producer.commitTransaction(10_000, done));
  };
  await one(0);
  await job.meter.latencies(one);
}

/** All partitions from their beginning to their end as of the start, without a group. */
export async function replay(job) {
  const consumer = await connectConsumer(job, { "enable.auto.commit": false });
  const metadata = await call((done) => consumer.getMetadata({ topic: job.topic, timeout: 10_000 }, done));
  const { partitions } = metadata.topics.find(({ name }) => name === job.topic);
  let left = 0;
  for (const { id } of partitions) {
    const { lowOffset, highOffset } = await call((done) =>
      consumer.queryWatermarkOffsets(job.topic, id, 10_000, done),
    );
    left += highOffset - lowOffset;
  }
  consumer.assign(partitions.map(({ id }) => ({ topic: job.topic, partition: id, offset: 0 })));
  const fetch = () => call((done) => consumer.consume(1000, done));
  for (let next = fetch(); left > 0;) {
    const messages = await next;
    next = fetch();
    for (const message of messages) {
      read(message);
      job.meter.record();
    }
    left -= messages.length;
  }
  job.meter.finish();
}

export async function sendOne(job) {
  const { send } = await producerOf(job);
  await sendOneValue(send, job.topic, check(makeValues(100, 1)[0]));
}

/** Properties with which batches hold so many records: those that come last wait for others. */
function batchesOf(records) {
  return {
    "linger.ms": 2_000,
    "batch.num.messages": records,
    "batch.size": 10_000_000,
    "message.max.bytes": 10_000_000,
    "queue.buffering.max.messages": 1_000_000,
    "queue.buffering.max.kbytes": 1_000_000,
  };
}

/** Makes the topics of a row and fills them; no measurement. */
export async function prepare(job) {
  const admin = binding.AdminClient.create({ "bootstrap.servers": job.brokers });
  for (const { name, partitions, config = {} } of job.topics) {
    const topic = { topic: name, num_partitions: partitions, replication_factor: 1, config };
    await call((done) => admin.createTopic(topic, 10_000, done));
  }
  for (const { name, fill = 0, size, keys, compression, batch } of job.topics) {
    if (fill === 0) continue;
    const { producer } = await producerOf(
      { ...job, compression },
      {
        "delivery.report.only.error": true,
        ...(batch === undefined ? { "linger.ms": 20 } : batchesOf(batch)),
      },
    );
    const records = makeValues(size, keys).map((value) => [
      Buffer.from(encode(value)),
      Buffer.from(keyOf(value)),
    ]);
    for (let sent = 0; sent < fill; sent += 1) {
      const [value, key] = records[sent % records.length];
      for (;;) {
        try {
          producer.produce(name, null, value, key, null);
          break;
        } catch (error) {
          if (error.code !== binding.CODES.ERRORS.ERR__QUEUE_FULL) throw error;
          await sleep(5);
        }
      }
      if (sent % 5000 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await call((done) => producer.flush(60_000, done));
  }
  return { prepared: job.topics.length };
}
