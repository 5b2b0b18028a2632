/**
 * A member of a consumer group in a process of its own: see group-members.ts. Told what to do by its first
 * argument; says what happens on its standard output, a line of JSON each; shuts down gracefully when its standard
 * input ends.
 */
import { Kafka } from "typed-kafka";
import { type MemberOptions, startHandling } from "./group-members.js";
import { silent } from "./silent.js";

const [given = "{}"] = process.argv.slice(2);
const { brokers, ...options } = JSON.parse(given) as MemberOptions & { readonly brokers: string };
const kafka = new Kafka({ brokers, logger: silent });
const { consumer, ended } = startHandling(kafka, options, (event) => {
  process.stdout.write(`${JSON.stringify(event)}\n`);
});
process.stdin.once("end", () => void consumer.close()).resume();
await ended;
await kafka.close();
