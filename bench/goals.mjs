// What the project wants to reach, each checked against the run that writes the report.
const rate = ({ rate: perSecond }) => perSecond;
const p50 = ({ p50: half }) => half;
const cpu = ({ cpuPerMillion }) => cpuPerMillion;
const mainCpu = ({ mainCpuPerMillion }) => mainCpuPerMillion;
const atLeast = (limit) => (value) => value >= limit;
const atMost = (limit) => (value) => value <= limit;

const bare = { label: "bare binding, tuned" };
const plain = { label: "typed-kafka, plain path" };
const platformatic = { label: "@platformatic/kafka" };
const python = { label: "confluent-kafka (Python)" };
const kafkajs = { label: "kafkajs" };

const large = (id) => `${id}-large`;

/**
 * `ours` (typed-kafka unless named) by `than`, or by itself; `of` says which number. `less`: the difference counts
 * and not the ratio.
 */
export const goals = [
  {
    text: "`run` at least 1.5 times @platformatic/kafka, small batches",
    row: "consume-each",
    than: platformatic,
    of: rate,
    reaches: atLeast(1.5),
  },
  {
    text: "`run` ahead of @platformatic/kafka, large batches",
    row: large("consume-each"),
    than: platformatic,
    of: rate,
    reaches: atLeast(1),
  },
  {
    text: "`for await` at least 1.5 times @platformatic/kafka, small batches",
    row: "consume-iterate",
    than: platformatic,
    of: rate,
    reaches: atLeast(1.5),
  },
  {
    text: "`for await` ahead of @platformatic/kafka, large batches",
    row: large("consume-iterate"),
    than: platformatic,
    of: rate,
    reaches: atLeast(1),
  },
  ...["consume-each", "consume-batches", "replay"].flatMap((id) =>
    [id, large(id)].map((row) => ({
      text: `${{ "consume-each": "`run`", "consume-batches": "`runBatch`", replay: "`read`" }[id]} at least as fast as Python, ${row === id ? "small" : "large"} batches`,
      row,
      than: python,
      of: rate,
      reaches: atLeast(1),
    })),
  ),
  {
    text: "`run` at least 3 times the plain path",
    row: "consume-each",
    than: plain,
    of: rate,
    reaches: atLeast(3),
  },
  {
    text: "`run`: CPU at most 0.4 of the plain path's",
    row: "consume-each",
    than: plain,
    of: cpu,
    reaches: atMost(0.4),
  },
  {
    text: "`run`: the main thread's CPU at most 0.7 of @platformatic/kafka's",
    row: "consume-each",
    than: platformatic,
    of: mainCpu,
    reaches: atMost(0.7),
  },
  {
    text: "`send` of 1000 at least 1.8 times @platformatic/kafka",
    row: "produce-batches",
    than: platformatic,
    of: rate,
    reaches: atLeast(1.8),
  },
  {
    text: "1000 concurrent `send`s at least 4 times the bare binding",
    row: "produce-singles",
    than: bare,
    of: rate,
    reaches: atLeast(4),
  },
  {
    text: "`sendAll` at least 1.8 times the plain path",
    row: "produce-stream",
    than: plain,
    of: rate,
    reaches: atLeast(1.8),
  },
  {
    text: "`sendAll` ahead of Python",
    row: "produce-stream",
    than: python,
    of: rate,
    reaches: atLeast(1),
  },
  {
    text: "awaited `send`: median no worse than the bare binding's",
    row: "produce-latency",
    than: bare,
    of: p50,
    reaches: atMost(1),
  },
  {
    text: "end to end at 100 records/s: median no worse than the bare binding's",
    row: "latency-100",
    than: bare,
    of: p50,
    reaches: atMost(1),
  },
  {
    text: "exactly once at least 1.5 times the plain path",
    row: "exactly-once",
    than: plain,
    of: rate,
    reaches: atLeast(1.5),
  },
  {
    text: "exactly once at least 2 times kafkajs",
    row: "exactly-once",
    than: kafkajs,
    of: rate,
    reaches: atLeast(2),
  },
  {
    text: "exactly once in batches at least 0.85 of the same at least once",
    row: "exactly-once",
    ours: "typed-kafka, in batches",
    than: { label: "typed-kafka, in batches, at least once" },
    of: rate,
    reaches: atLeast(0.85),
  },
  {
    text: "a backlog of a million, handler of 1 ms: under 150 MB",
    row: "memory",
    of: ({ peakMb }) => peakMb,
    reaches: atMost(150),
    digits: 0,
    factor: "MB",
  },
  {
    text: "start: at most 10 ms later than the plain path",
    row: "start-up",
    than: plain,
    less: true,
    of: ({ firstMs }) => firstMs,
    reaches: atMost(10),
    digits: 0,
    factor: "ms",
  },
];
