import { Kafka } from "typed-kafka";
import { startEmbeddedKafka } from "typed-kafka/testing";
import { enrolled, students } from "./students.ts";

const embedded = await startEmbeddedKafka();
const kafka = new Kafka({ brokers: embedded.brokers });

await kafka.producer().send(
  students,
  enrolled.map((student) => ({ value: student })),
);

let received = 0;
const consumer = kafka.consumer(students, { groupId: "etl-group" });
await consumer.run(({ value, partition, offset }) => {
  console.log(`received ${value.name}, ${value.course} from students[${partition}] at offset ${offset}`);
  received += 1;
  if (received === enrolled.length) void consumer.close();
});

await kafka.close();
await embedded.close();
