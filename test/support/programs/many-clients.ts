// many-clients.ts <brokers> <topic> <clients>: see scripts/test-native.mjs.
//
// Makes clients, lets some of them send and read at the same time, and closes them: 8 at a time, producers and consumers
// in turn. Prints the resident memory (MB) and the threads of the process when a fifth of them is done, and at the end.
import { readdirSync } from "node:fs";
import { defineTopic, Kafka, string } from "typed-kafka";
import { silent } from "../silent.js";

const [brokers = "", name = "", wanted = "1000"] = process.argv.slice(2);
const topic = defineTopic(name, { value: string(), partitions: 4, replicationFactor: 1 });
const kafka = new Kafka({ brokers, logger: silent });
const atATime = 8;
const count = Number(wanted);
let made = 0;
let read = 0;

async function produce(): Promise<void> {
  await using producer = kafka.producer();
  const records = Array.from({ length: 100 }, (_, index) => ({ value: `${index} é` }));
  await Promise.all([producer.send(topic, records), producer.send(topic, { value: "one" })]);
}

/** Leaves in the middle of a fetch, more often than not. */
async function consume(number: number): Promise<void> {
  for await (const { value } of kafka.consumer(topic, { groupId: `${name}-${number % atATime}-${number}` })) {
    read += value.length > 0 ? 1 : 0;
    if (read % 50 === 0) break;
  }
}

async function work(): Promise<void> {
  while (made < count) {
    const number = made;
    made += 1;
    await (number % 2 === 0 ? produce() : consume(number));
    if (made === Math.floor(count / 5)) tell("early");
  }
}

function tell(when: string): void {
  const { gc } = globalThis as { gc?: () => void };
  gc?.();
  const threads = readdirSync("/proc/self/task").length;
  console.log(JSON.stringify({ when, made, megabytes: process.memoryUsage().rss / 2 ** 20, threads }));
}

await kafka.admin().ensureTopics([topic]);
await produce();
await Promise.all(Array.from({ length: atATime }, work));
await kafka.close();
tell("late");
