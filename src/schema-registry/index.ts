/**
 * Serdes for topics whose schemas are in a registry: Avro, JSON Schema and protobuf in Confluent's wire format,
 * which the serializers of Java and Python write and read. Begin with {@link schemaRegistry}.
 *
 * @module typed-kafka/schema-registry
 */

export { avro, type AvroOptions, type AvroSchema } from "./avro.js";
export { jsonSchema, type JsonSchemaOptions } from "./json-schema.js";
export { protobuf } from "./protobuf.js";
export { SchemaRegistry, schemaRegistry } from "./registry.js";
export type { SchemaRegistryAuth, SchemaRegistryOptions } from "./options.js";
export type { Registration, RegistrySerdeOptions, SubjectContext } from "./serde-options.js";
