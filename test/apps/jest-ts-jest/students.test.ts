import { defineTopic, Kafka, SerializationError } from "typed-kafka";
import { type EmbeddedKafka, startEmbeddedKafka } from "typed-kafka/testing";
import { z } from "zod";

const students = defineTopic("students", {
  value: z.object({ id: z.number().int(), name: z.string() }),
  keyOf: (student) => String(student.id),
});

let embedded: EmbeddedKafka;
let kafka: Kafka;

beforeAll(async () => {
  embedded = await startEmbeddedKafka();
  kafka = new Kafka({ brokers: embedded.brokers });
});

afterAll(async () => {
  await kafka.close();
  await embedded.close();
});

test("a student arrives", async () => {
  await kafka.producer().send(students, { value: { id: 1, name: "Samwel" } });

  for await (const { key, value } of kafka.consumer(students, { groupId: "etl-group" })) {
    expect({ key, value }).toEqual({ key: "1", value: { id: 1, name: "Samwel" } });
    break;
  }
}, 60_000);

test("what is no student is refused", async () => {
  const wrong = { value: { id: "1", name: "Samwel" } } as never;
  await expect(kafka.producer().send(students, wrong)).rejects.toThrow(SerializationError);
}, 60_000);
