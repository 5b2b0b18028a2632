/**
 * Retry topics: an order whose warehouse does not answer is tried again after two seconds, then after five, while the
 * orders behind it go on. Only then is it a dead letter.
 *
 *     KAFKA_BROKERS=localhost:9092 node --import tsx examples/retry-topics.ts
 */
import { defineTopic, Kafka } from "typed-kafka";
import { z } from "zod";

const shipments = defineTopic("shipments", {
  value: z.object({ id: z.string(), warehouse: z.string() }),
  keyOf: ({ id }) => id,
});

const kafka = new Kafka({ brokers: process.env["KAFKA_BROKERS"] ?? "localhost:9092" });
await kafka.admin().ensureTopics(shipments);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void kafka.close());

const run = Date.now().toString(36);
await kafka
  .producer()
  .send(shipments, [
    { value: { id: `${run}-1`, warehouse: "Bern" } },
    { value: { id: `${run}-2`, warehouse: "Basel" } },
    { value: { id: `${run}-3`, warehouse: "Bern" } },
  ]);

/** The warehouse in Basel is away for the first two calls. */
let callsToBasel = 0;
function ship(warehouse: string): void {
  if (warehouse !== "Basel") return;
  callsToBasel += 1;
  if (callsToBasel <= 2) throw new Error("Basel does not answer");
}

// #region retry-topics
const shipping = kafka.consumer(shipments, {
  groupId: "shipping",
  retryTopics: { delaysMs: [2_000, 5_000] }, // shipments.shipping.retry-1 and -2
  deadLetter: true,
});

await shipping.run(({ value: { id, warehouse } }, { attempt }) => {
  try {
    ship(warehouse);
    console.log(`${id} is shipped from ${warehouse}, at attempt ${attempt}`);
  } catch (error) {
    console.log(`${id} at attempt ${attempt}: ${String(error)}`);
    throw error; // what is thrown decides: the record goes to the next retry topic
  }
});
// #endregion retry-topics
