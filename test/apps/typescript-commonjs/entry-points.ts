import { ConfigError, defineTopic, type ValueOf } from "typed-kafka";
import { jsonSchema, schemaRegistry } from "typed-kafka/schema-registry";
import { z } from "zod";

const registry = schemaRegistry({ url: "http://localhost:8081" });
const registered = defineTopic("registered", {
  value: jsonSchema(registry, z.object({ id: z.number().int() })),
});
export const record: ValueOf<typeof registered> = { id: 1 };
// @ts-expect-error a field of another type
export const wrong: ValueOf<typeof registered> = { id: "1" };
export const failure: Error = new ConfigError("a", "b");
