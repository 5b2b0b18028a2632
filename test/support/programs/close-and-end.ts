/** Uses every kind of client, closes, and leaves nothing behind that keeps the process alive. */
import { defineTopic, Kafka, string } from "typed-kafka";
import { startEmbeddedKafka } from "typed-kafka/testing";

const embedded = await startEmbeddedKafka();
const topic = defineTopic("t", { value: string() });
const kafka = new Kafka({ brokers: embedded.brokers });
await kafka.producer().send(topic, { value: "x" });
const consumer = kafka.consumer(topic, { groupId: "g", groupProtocol: "consumer" });
for await (const record of consumer) {
  console.log(record.value);
  break;
}
await kafka.close();
await embedded.close();
console.log("closed");
