// What is measured: a row is one piece of work, given to several peers. A peer that cannot do it, or would
// not do it that way, is not in its list.

/** The peers, in the order of the tables. `runtime`: what runs it, by the names of install.mjs. */
export const peers = {
  "typed-kafka": { label: "typed-kafka", runtime: "node" },
  bare: { label: "bare binding, tuned", runtime: "node", package: "@confluentinc/kafka-javascript" },
  "confluent-kafkajs-api": {
    label: "binding's KafkaJS API",
    runtime: "node",
    package: "@confluentinc/kafka-javascript",
  },
  drarzter: { label: "@drarzter/kafka-client", runtime: "node", package: "@drarzter/kafka-client" },
  kafkajs: { label: "kafkajs", runtime: "node", package: "kafkajs" },
  platformatic: { label: "@platformatic/kafka", runtime: "node24", package: "@platformatic/kafka" },
  "kafka-crab": { label: "kafka-crab-js", runtime: "node24", package: "kafka-crab-js" },
  python: { label: "confluent-kafka (Python)", runtime: "python" },
  "kafka-streams": { label: "Kafka Streams", runtime: "java" },
};

/** Kafka Streams has rows of its own. */
const everyone = Object.keys(peers).filter((peer) => peer !== "kafka-streams");
const without = (...some) => everyone.filter((peer) => !some.includes(peer));

const million = 1_000_000;
const backlog = { partitions: 8, fill: million, size: 100 };
/** Logs of small and of large batches: what a client does once a batch weighs more in the one, once a record in the other. */
const logs = [
  { suffix: "", words: "batches of 100 records", batch: 100, config: {} },
  // As large a batch as it takes, which the broker would refuse by default.
  {
    suffix: "-large",
    words: "batches of 10,000",
    batch: 10_000,
    config: { "max.message.bytes": "10000000" },
  },
];
/** A row for each of the logs. */
const byLog = (row, fill = million) =>
  logs.map(({ suffix, words, batch, config }) => ({
    ...row,
    id: row.id + suffix,
    title: `${row.title}, ${words}`,
    topic: { ...backlog, fill, batch, config },
  }));
const empty = { partitions: 8 };

/** Without the addon of the fast path: as where it cannot be used. */
const plain = {
  peer: "typed-kafka",
  label: "typed-kafka, plain path",
  env: { TYPED_KAFKA_NATIVE: "off" },
};

const kafkajsFree = {
  peer: "kafkajs",
  label: "kafkajs, not idempotent",
  isWeaker: true,
  job: { idempotent: false },
};

/** A changelog as a store's, with an entry for each record. */
const changelog = {
  partitions: 8,
  fill: million,
  size: 100,
  keys: million,
  suffix: ".entries.changelog",
  config: { "cleanup.policy": "compact" },
};

const sizes = [100, 1_000, 10_000];
/** As many records of each size as give a second or two, and stay within a request's limits. */
const amountOf = {
  100: { records: 400_000, batch: 1000 },
  1_000: { records: 150_000, batch: 500 },
  10_000: { records: 20_000, batch: 50 },
};

/**
 * `passes`: at most how often; 3 unless given. `show`: the form of the table and, unless `value` says another,
 * the number that the plot and the ratios are about. `x`: the place of an entry in a series. `isWeaker`: it
 * promises less than the others, and is shown for comparison alone.
 */
export const rows = [
  {
    id: "produce-batches",
    section: "Producing",
    title: "Batches: 1000 records a call, ten calls at a time, all acknowledged",
    call: "produceBatches",
    topic: empty,
    job: { records: 600_000, batch: 1000, inFlight: 10 },
    entries: ["typed-kafka", plain, ...without("typed-kafka"), kafkajsFree],
    notes: {
      platformatic: "a request for a batch, with no crossing into C++ for each record",
      python: "`produce_batch`",
    },
  },
  {
    id: "produce-singles",
    section: "Producing",
    title: "Singles: one record a call, 1000 calls at a time",
    call: "produceSingles",
    topic: empty,
    job: { records: 400_000, inFlight: 1000 },
    entries: ["typed-kafka", plain, ...without("typed-kafka", "python"), kafkajsFree],
    notes: { kafkajs: "makes a request for each call, one after the other where it is idempotent" },
  },
  {
    id: "produce-stream",
    section: "Producing",
    title: "Stream: as many as come, in bounded memory, acknowledged at the end",
    call: "produceStream",
    topic: empty,
    job: { records: 1_500_000, batch: 1000, inFlight: 10 },
    entries: [
      "typed-kafka",
      plain,
      "bare",
      { peer: "bare", label: "bare binding, a report per record", call: "produceStreamReports" },
      ...["confluent-kafkajs-api", "drarzter", "kafkajs", "platformatic", "kafka-crab"].map((peer) => ({
        peer,
        call: "produceBatches",
      })),
      "python",
    ],
    notes: {
      "confluent-kafkajs-api": "no stream of its own: batches, as above; so too the five below it but Python",
      bare: "reports of failures alone, as `sendAll` asks for",
    },
  },
  {
    id: "produce-latency",
    section: "Producing",
    title: "One record, awaited, then the next: time to its acknowledgement",
    call: "produceLatency",
    topic: empty,
    show: "latency",
    job: { records: 20_000 },
    entries: ["typed-kafka", plain, ...without("typed-kafka")],
    notes: { python: "no event loop in between" },
  },
  ...byLog({
    id: "consume-each",
    section: "Consuming",
    title: "Record by record",
    call: "consumeEach",
    job: { records: million },
    entries: [
      "typed-kafka",
      { peer: "typed-kafka", label: "typed-kafka, async handler", call: "consumeEachAsync" },
      plain,
      ...without("typed-kafka"),
    ],
    notes: {
      kafkajs: "decodes in JavaScript: no crossing into C++ for each record",
      platformatic: "decodes in JavaScript, as kafkajs does",
      python: "validates in Rust, with no event loop in between",
    },
  }),
  ...byLog({
    id: "consume-batches",
    section: "Consuming",
    title: "Batch by batch",
    call: "consumeBatches",
    job: { records: million },
    entries: ["typed-kafka", plain, ...without("typed-kafka", "platformatic")],
    notes: { kafkajs: "decodes in JavaScript", python: "validates in Rust, with no event loop in between" },
  }),
  ...byLog({
    id: "consume-iterate",
    section: "Consuming",
    title: "`for await`",
    call: "iterate",
    job: { records: million },
    entries: ["typed-kafka", plain, "bare", "drarzter", "platformatic", "kafka-crab"],
    notes: { platformatic: "decodes in JavaScript", "kafka-crab": "its serial stream, one record a read" },
  }),
  {
    id: "consume-keys",
    section: "Consuming",
    title: "Keys in parallel: a handler of 1 ms, 100 at a time, each key in order",
    call: "consumeKeys",
    topic: backlog,
    job: { records: 200_000, handlerMs: 1, concurrency: 100 },
    entries: ["typed-kafka", plain, "bare", "confluent-kafkajs-api", "kafkajs", "platformatic", "kafka-crab"],
    notes: {
      platformatic: "decodes in JavaScript; the order of keys by hand",
      kafkajs: "keys side by side within a batch, by hand",
      bare: "keys side by side within a batch, by hand",
    },
  },
  {
    id: "latency-100",
    section: "End to end",
    title: "From the call to the handler, at 100 records a second",
    call: "endToEnd",
    topic: { ...empty, own: true },
    show: "latency",
    passes: 1,
    job: { records: 1e9, rate: 100, seconds: 4 },
    entries: everyone,
    notes: { kafkajs: "all in one thread", python: "no event loop in between" },
  },
  {
    id: "latency-10000",
    section: "End to end",
    title: "From the call to the handler, at 10,000 records a second",
    call: "endToEnd",
    topic: { ...empty, own: true },
    show: "latency",
    passes: 1,
    job: { records: 1e9, rate: 10_000, seconds: 3 },
    entries: everyone,
    notes: {
      platformatic: "one request for all eight partitions; librdkafka makes one for each",
      kafkajs: "what is due in a millisecond goes in one call, for everyone",
    },
  },
  {
    id: "latency-partitions",
    section: "End to end",
    title: "From the call to the handler, at 10,000 records a second, by the number of partitions",
    call: "endToEnd",
    show: "series",
    value: "latency",
    axis: "partitions",
    passes: 1,
    job: { records: 1e9, rate: 10_000, seconds: 2 },
    entries: [1, 2, 4, 8].flatMap((x) =>
      ["typed-kafka", "platformatic"].map((peer) => ({ peer, x, topic: { partitions: x, own: true } })),
    ),
  },
  {
    id: "exactly-once",
    section: "Exactly once",
    title: "Read, transform, write: outputs and offsets in one transaction",
    call: "exactlyOnce",
    topic: backlog,
    output: true,
    job: { records: 600_000 },
    entries: [
      "typed-kafka",
      { peer: "typed-kafka", label: "typed-kafka, in batches", call: "exactlyOnceBatches" },
      { peer: "typed-kafka", label: "typed-kafka, in batches, at least once", call: "atLeastOnceBatches" },
      plain,
      "bare",
      "confluent-kafkajs-api",
      "drarzter",
      "kafkajs",
    ],
    notes: { drarzter: "a transaction for each record", kafkajs: "a transaction for each batch" },
  },
  {
    id: "transactions",
    section: "Exactly once",
    title: "Transactions of one record, one after the other",
    call: "transactions",
    topic: empty,
    job: { records: 20_000 },
    entries: ["typed-kafka", plain, "bare", "kafkajs"],
  },
  {
    id: "commit-interval",
    section: "Exactly once",
    title: "The processor's commit interval",
    call: "exactlyOnce",
    topic: backlog,
    output: true,
    show: "series",
    axis: "commitIntervalMs",
    passes: 1,
    job: { records: 600_000 },
    entries: [5, 20, 50, 100, 250, 1000].map((x) => ({
      peer: "typed-kafka",
      x,
      job: { options: { commitIntervalMs: x } },
    })),
  },
  {
    id: "commit-interval-latency",
    section: "Exactly once",
    title:
      "From the call, through a processor, to the handler of a `read_committed` consumer, by commit interval",
    call: "endToEnd",
    topic: { ...empty, own: true },
    output: true,
    show: "series",
    value: "latency",
    axis: "commitIntervalMs",
    passes: 1,
    job: { records: 1e9, rate: 1_000, seconds: 2 },
    entries: [5, 20, 50, 100, 250, 1000].map((x) => ({
      peer: "typed-kafka",
      x,
      job: { options: { commitIntervalMs: x } },
    })),
  },
  {
    id: "back-off",
    section: "Exactly once",
    title: "Transactions of one record, by `retry.backoff.ms`",
    call: "transactions",
    topic: empty,
    show: "series",
    value: "latency",
    axis: "retry.backoff.ms",
    passes: 1,
    job: { records: 20_000, seconds: 2 },
    entries: [1, 5, 20, 50, 100].map((x) => ({
      peer: "typed-kafka",
      x,
      job: { librdkafka: { "retry.backoff.ms": x, "retry.backoff.max.ms": 200 } },
    })),
  },
  ...byLog(
    {
      id: "replay",
      section: "Replay",
      title: "A topic from its beginning to its end, without a group",
      call: "replay",
      job: { records: million },
      entries: ["typed-kafka", plain, "bare", "python"],
      notes: { python: "validates in Rust, with no event loop in between" },
    },
    400_000,
  ),
  ...[1_000, 100_000].map((keys) => ({
    id: keys === 1_000 ? "state-count" : "state-count-large",
    section: "State",
    title: `Counting by key, ${keys.toLocaleString("en-US")} keys: stores, outputs and offsets in one transaction`,
    call: "countByKey",
    topic: { ...backlog, keys },
    output: true,
    passes: 1,
    job: { records: million, seconds: 10 },
    entries: [
      { peer: "typed-kafka", label: "typed-kafka, in memory" },
      { peer: "typed-kafka", label: "typed-kafka, on disk", job: { onDisk: true } },
      { peer: "kafka-streams", label: "Kafka Streams, in memory" },
      { peer: "kafka-streams", label: "Kafka Streams, RocksDB", job: { onDisk: true } },
      ...[false, true].map((onDisk) => ({
        peer: "kafka-streams",
        label: `Kafka Streams, ${onDisk ? "RocksDB" : "in memory"}, cached`,
        job: { onDisk, cache: true },
        isWeaker: true,
      })),
    ],
    notes: Object.fromEntries(
      ["in memory", "RocksDB"].map((where) => [
        `Kafka Streams, ${where}, cached`,
        "drops what a later record of its key replaces, outputs included, so that it is not compared above",
      ]),
    ),
  })),
  {
    id: "state-restore",
    section: "State",
    title: "A million entries read from their log: a restart of stores, the start of a table, and `read`",
    call: "restore",
    topic: changelog,
    output: true,
    passes: 1,
    job: { records: million, seconds: 60 },
    entries: [
      { peer: "typed-kafka", label: "a store in memory" },
      { peer: "typed-kafka", label: "a store on disk", job: { onDisk: true } },
      { peer: "typed-kafka", label: "a table, until it is ready", call: "tableReady" },
      { peer: "typed-kafka", label: "read", call: "replay" },
    ],
  },
  {
    id: "state-table",
    section: "State",
    title: "`get` of a table of a million entries",
    call: "tableGets",
    topic: changelog,
    passes: 1,
    job: { records: 10 * million, seconds: 10 },
    entries: ["typed-kafka"],
  },
  ...["none", "zstd"].flatMap((compression) => [
    {
      id: `produce-sizes-${compression}`,
      section: "Sizes of records",
      title: `Producing records of 100 B, 1 kB and 10 kB, compression ${compression}`,
      call: "produceBatches",
      show: "series",
      axis: "bytes a record",
      passes: 1,
      job: { compression, inFlight: 10, seconds: 1.5 },
      entries: sizes.flatMap((x) =>
        ["typed-kafka", "bare", "kafkajs", "platformatic", "python"]
          .filter((peer) => peer !== "kafkajs" || compression === "none")
          .map((peer) => ({ peer, x, topic: empty, job: { size: x, ...amountOf[x] } })),
      ),
    },
    {
      id: `consume-sizes-${compression}`,
      section: "Sizes of records",
      title: `Consuming records of 100 B, 1 kB and 10 kB, compression ${compression}`,
      call: "consumeEach",
      show: "series",
      axis: "bytes a record",
      passes: 1,
      job: { seconds: 1.5 },
      entries: sizes.flatMap((x) =>
        ["typed-kafka", "bare", "kafkajs", "platformatic", "python"]
          .filter((peer) => peer !== "kafkajs" || compression === "none")
          .map((peer) => ({
            peer,
            x,
            topic: { partitions: 8, size: x, compression, fill: amountOf[x].records },
            job: { records: amountOf[x].records },
          })),
      ),
    },
  ]),
  {
    id: "memory",
    section: "Memory",
    title: "A backlog of a million records and a handler of 1 ms",
    call: "consumeEach",
    topic: backlog,
    show: "memory",
    passes: 1,
    job: { records: million, handlerMs: 1, seconds: 4 },
    entries: ["typed-kafka", plain, ...without("typed-kafka")],
    notes: { python: "no Node.js, and one record at a time" },
  },
  {
    id: "partitions",
    section: "Growth",
    title: "Consuming, by the number of partitions",
    call: "consumeEach",
    show: "series",
    axis: "partitions",
    passes: 1,
    job: { records: 300_000 },
    entries: [1, 4, 16, 64].flatMap((x) =>
      ["typed-kafka", "bare"].map((peer) => ({
        peer,
        x,
        topic: { partitions: x, fill: 300_000, size: 100 },
      })),
    ),
  },
  {
    id: "processes",
    section: "Growth",
    title: "Consuming, by the number of processes in the group",
    call: "consumeTogether",
    topic: backlog,
    show: "series",
    axis: "processes",
    passes: 1,
    job: { records: million, seconds: 2 },
    entries: [1, 2, 4].map((x) => ({ peer: "typed-kafka", x, processes: x })),
  },
  {
    id: "ten-million",
    section: "Growth",
    title: "Ten million records written, then read",
    show: "marks",
    axis: "millions",
    topic: empty,
    passes: 1,
    job: { records: 10 * million, every: million, seconds: 120 },
    entries: [
      { peer: "typed-kafka", label: "sendAll", call: "produceStream" },
      { peer: "typed-kafka", label: "run", call: "consumeEach" },
    ],
  },
  {
    id: "start-up",
    section: "Start",
    title: "From the start of the process to the first acknowledged record",
    call: "startUp",
    topic: empty,
    show: "start",
    job: { records: 1 },
    entries: ["typed-kafka", plain, ...without("typed-kafka", "python")],
    notes: {
      kafkajs: "loads no native library",
      "confluent-kafkajs-api": "does not ask who leads the topic's partitions",
    },
  },
];
