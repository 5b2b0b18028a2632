/**
 * Avro with a schema registry: what is sent here is read by Java's, Python's or .NET's consumers with Confluent's
 * serializers, and the other way round. The second version of the schema reads what the first has written.
 *
 *     SCHEMA_REGISTRY_URL=http://localhost:8081 KAFKA_BROKERS=localhost:9092 node --import tsx examples/avro.ts
 */
import { defineTopic, Kafka } from "typed-kafka";
import { avro, schemaRegistry } from "typed-kafka/schema-registry";
import { z } from "zod";

const registry = schemaRegistry({ url: process.env["SCHEMA_REGISTRY_URL"] ?? "http://localhost:8081" });

// #region avro
// The Avro schema is what is registered and what is on the wire; zod gives the type, and checks.
const graduateSchema = {
  type: "record",
  name: "school.Graduate",
  fields: [
    { name: "id", type: "long" },
    { name: "name", type: "string" },
    { name: "graduated", type: { type: "long", logicalType: "timestamp-millis" } },
  ],
};
const graduate = z.object({ id: z.int(), name: z.string(), graduated: z.date() });

const graduates = defineTopic("graduates", {
  value: avro(registry, graduateSchema, graduate),
  keyOf: ({ id }) => String(id),
});

// A field more, with a default: for the records that were written without it.
const withHonoursSchema = {
  ...graduateSchema,
  fields: [...graduateSchema.fields, { name: "honours", type: "boolean", default: false }],
};
const graduatesWithHonours = defineTopic("graduates", {
  value: avro(registry, withHonoursSchema, graduate.extend({ honours: z.boolean() })),
  keyOf: ({ id }) => String(id),
});
// #endregion avro

const kafka = new Kafka({ brokers: process.env["KAFKA_BROKERS"] ?? "localhost:9092" });
await kafka.admin().ensureTopics(graduates);

const producer = kafka.producer();
const graduated = new Date();
await producer.send(graduates, { value: { id: 1, name: "Samwel", graduated } });
await producer.send(graduatesWithHonours, { value: { id: 2, name: "Alice", graduated, honours: true } });

for await (const { value } of kafka.read(graduatesWithHonours)) {
  const honours = value.honours ? ", with honours" : "";
  console.log(`${value.name} graduated in ${value.graduated.getFullYear()}${honours}`);
}

await kafka.close();
