/**
 * Rebuilds a table from the log: everything since a date, in the order in which it happened, and then
 * whatever comes. It joins no group and commits nothing, so it can be run at any time, and by many at once.
 *
 *     KAFKA_BROKERS=localhost:9092 node --import tsx examples/replay-history.ts 2026-01-01
 */
import { Kafka } from "typed-kafka";
import { students } from "./students.js";

const from = new Date(process.argv[2] ?? "2026-01-01");
const kafka = new Kafka({ brokers: process.env["KAFKA_BROKERS"] ?? "localhost:9092" });
process.once("SIGINT", () => void kafka.close());
process.once("SIGTERM", () => void kafka.close());
await kafka.admin().ensureTopics(students);

const table = new Map<number, { name: string; course: string }>();
let complete = false as boolean;

const history = kafka.read(students, {
  from,
  follow: true,
  order: "timestamp",
  // About once a second, and when everything that was there at the start has been delivered.
  onProgress: ({ done, total, recordsPerSecond }) => {
    if (complete) return;
    complete = done === total;
    console.log(`replayed ${done} of ${total} at ${recordsPerSecond} records a second`);
    if (complete) console.log(`the table is complete: ${table.size} students`);
  },
});

for await (const { value, timestamp } of history) {
  table.set(value.id, value);
  if (complete) console.log(`${new Date(timestamp).toISOString()}: ${value.name} takes ${value.course}`);
}
console.log(`closed with ${table.size} students`);
