import { Kafka } from "typed-kafka";
import { students } from "./students.ts";

const kafka = new Kafka({ brokers: process.env["KAFKA_BROKERS"] ?? "localhost:9092" });
const consumer = kafka.consumer(students, { groupId: "etl-group" });

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void kafka.close());

await consumer.run(({ value, partition, offset }) => {
  console.log(`received ${value.name}, ${value.course} from students[${partition}] at offset ${offset}`);
});
