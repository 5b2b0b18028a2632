// Is in the middle of sending and reading when its process ends, in one of the
// ways that processes end without closing anything.
import { defineTopic, Kafka, string } from "typed-kafka";
import { silent } from "../silent.js";

const { KAFKA_BROKERS: brokers = "", TOPIC: name = "", WAY: way = "" } = process.env;
const topic = defineTopic(name, { value: string() });
const kafka = new Kafka({ brokers, logger: silent });
const producer = kafka.producer();
let read = 0;

async function sendOn(): Promise<never> {
  for (;;)
    await Promise.all(Array.from({ length: 200 }, (_, index) => producer.send(topic, { value: `${index}` })));
}

async function readOn(): Promise<void> {
  for await (const { value } of kafka.consumer(topic, { groupId: `${name}-group` }))
    read += value.length > 0 ? 1 : 0;
}

const ends: Readonly<Record<string, () => void>> = {
  exit: () => process.exit(3),
  throw: () => {
    throw new Error("thrown in the middle");
  },
  // The test sends the signal.
  signal: () => {
    console.log("in the middle");
  },
};

await producer.send(topic, { value: "first" });
void sendOn();
void readOn();
const looking = setInterval(() => {
  if (read < 1_000) return;
  clearInterval(looking);
  ends[way]?.();
}, 5);
