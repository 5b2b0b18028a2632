// What the project wants to reach, each checked against the run that writes the report.
const rate = ({ rate: perSecond }) => perSecond;
const p50 = ({ p50: half }) => half;
const atLeast = (limit) => (value) => value >= limit;
const atMost = (limit) => (value) => value <= limit;

const ceiling = { label: "bare binding, tuned" };
const kafkaJsApi = { label: "binding's KafkaJS API" };

/** `ours` (typed-kafka unless named) by `than`, or by itself; `of` says which number. */
export const goals = [
  {
    text: "`run` at least 0.9 of the ceiling",
    row: "consume-each",
    than: ceiling,
    of: rate,
    reaches: atLeast(0.9),
  },
  {
    text: "`run` at least 2.5 times the binding's own `eachMessage`",
    row: "consume-each",
    than: kafkaJsApi,
    of: rate,
    reaches: atLeast(2.5),
  },
  {
    text: "`sendAll` at least 1.5 times the bare binding with reports",
    row: "produce-stream",
    than: { label: "bare binding, a report per record" },
    of: rate,
    reaches: atLeast(1.5),
  },
  {
    text: "`sendAll` at least 2 times the binding's KafkaJS API",
    row: "produce-stream",
    than: kafkaJsApi,
    of: rate,
    reaches: atLeast(2),
  },
  {
    text: "`send` of 1000 at least 0.9 of the bare binding with reports",
    row: "produce-batches",
    than: ceiling,
    of: rate,
    reaches: atLeast(0.9),
  },
  {
    text: "1000 concurrent `send`s at least 0.8 of the bare binding",
    row: "produce-singles",
    than: ceiling,
    of: rate,
    reaches: atLeast(0.8),
  },
  {
    text: "awaited `send`: median at most 1.3 times the bare binding's",
    row: "produce-latency",
    than: ceiling,
    of: p50,
    reaches: atMost(1.3),
  },
  {
    text: "end to end at 100 records/s: median under 3 ms",
    row: "latency-100",
    of: p50,
    reaches: atMost(3),
    factor: "ms",
  },
  {
    text: "a backlog of a million, handler of 1 ms: under 200 MB",
    row: "memory",
    of: ({ peakMb }) => peakMb,
    reaches: atMost(200),
    digits: 0,
    factor: "MB",
  },
  {
    text: "exactly once at least 0.85 of the same work at least once",
    row: "exactly-once",
    than: { label: "typed-kafka, at least once" },
    of: rate,
    reaches: atLeast(0.85),
  },
];
