/**
 * Counts the enrolments of each course in each minute, by the time at which they were made, and prints each result
 * once: when its minute has closed.
 *
 *     KAFKA_BROKERS=localhost:9092 node --import tsx examples/enrolments-per-minute.ts
 */
import { defineTopic, defineWindowStore, Kafka, tumbling } from "typed-kafka";
import { z } from "zod";

const enrolments = defineTopic("timed-enrolments", {
  value: z.object({ student: z.string(), course: z.string() }),
  keyOf: ({ course }) => course,
  partitions: 3,
});
const results = defineTopic("enrolments-by-minute", {
  value: z.object({ course: z.string(), minute: z.iso.datetime(), enrolments: z.number().int() }),
  keyOf: ({ course }) => course,
});

const kafka = new Kafka({ brokers: process.env["KAFKA_BROKERS"] ?? "localhost:9092" });
await kafka.admin().ensureTopics([enrolments, results]);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void kafka.close());

const minute = Math.floor(Date.now() / 60_000) * 60_000 - 3_600_000;
await kafka.producer().send(
  enrolments,
  ["Samwel", "Alice", "John"].map((student, index) => ({
    value: { student, course: "Data Engineering" },
    timestamp: minute + index * 25_000,
  })),
);

// #region windows
const perMinute = defineWindowStore("enrolments-per-minute", {
  value: z.number().int(),
  window: tumbling({ sizeMs: 60_000, graceMs: 5_000, idleMs: 2_000 }),
});

const counter = kafka.processor(enrolments, {
  groupId: "enrolments-per-minute",
  transactionalId: "enrolments-per-minute-1",
  stores: [perMinute],
});

await counter.run(
  ({ value, timestamp }, tx) =>
    void tx.store(perMinute).update(value.course, timestamp, (count = 0) => count + 1),
  {
    onWindowClosed: async ({ key: course, start, value }, tx) => {
      const result = { course, minute: new Date(start).toISOString(), enrolments: value };
      await tx.send(results, { value: result });
      console.log(`${result.minute} ${course}: ${value} enrolled`);
    },
    schedule: [
      { everyMs: 10_000, run: (_tx, { partition }) => console.log(`partition ${partition} is alive`) },
    ],
  },
);
// #endregion windows
