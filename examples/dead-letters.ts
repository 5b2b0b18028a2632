/**
 * Dead letters: an order that cannot be billed is set aside with the reason, and the orders behind it go on. When the
 * cause is gone, `redrive` sends it back, exactly once.
 *
 *     KAFKA_BROKERS=localhost:9092 node --import tsx examples/dead-letters.ts
 */
import { bytes, defineTopic, Kafka, PermanentError } from "typed-kafka";
import { z } from "zod";

const orders = defineTopic("orders-to-bill", {
  value: z.object({ id: z.string(), currency: z.string(), cents: z.number().int() }),
  keyOf: ({ id }) => id,
});

const kafka = new Kafka({ brokers: process.env["KAFKA_BROKERS"] ?? "localhost:9092" });
await kafka.admin().ensureTopics(orders);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void kafka.close());

const run = Date.now().toString(36);
await kafka
  .producer()
  .send(orders, [
    { value: { id: `${run}-1`, currency: "EUR", cents: 2_500 } },
    { value: { id: `${run}-2`, currency: "XAU", cents: 1 } },
    { value: { id: `${run}-3`, currency: "EUR", cents: 900 } },
  ]);

// #region dead-letters
const groupId = "order-billing";
const currencies = new Set(["EUR", "CHF"]);

const billing = kafka.consumer(orders, {
  groupId,
  retry: { attempts: 3, initialDelayMs: 100 }, // for what may succeed the next time
  deadLetter: true, // for what does not
  onInvalid: "dead-letter", // and for what is no order at all
});
const billed = billing.run(({ value: { id, currency, cents } }) => {
  if (!currencies.has(currency)) throw new PermanentError(`no bills in ${currency}`); // no retry can help
  console.log(`${id} is billed: ${cents} ${currency}`);
});

// A dead letter is a record of an ordinary topic, with the reason in its headers. Its value may be anything.
const letters = defineTopic(`${orders.name}.${groupId}.dead-letter`, {
  value: bytes(),
  key: bytes(),
  tombstones: true,
  partitions: orders.partitions ?? 1,
});
// The consumer makes this topic when it writes its first dead letter; here we read before that.
await kafka.admin().ensureTopics(letters);
for await (const { headers, value } of kafka.read(letters, { follow: true })) {
  if (value?.toString().includes(run) !== true) continue;
  console.log(`dead letter: ${headers["dead-letter.error-message"]}`);
  break;
}

// The cause is mended; what it stopped goes back.
currencies.add("XAU");
const { redriven, kept } = await kafka.redrive(orders, {
  groupId,
  filter: ({ errorMessage }) => errorMessage === "no bills in XAU",
});
console.log(`sent back: ${redriven}, kept: ${kept}`);
await billed;
// #endregion dead-letters
