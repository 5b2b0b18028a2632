import { KafkaError } from "../errors.js";

/** The name of the tracer and of the meter. */
export const instrumentationName = "typed-kafka";

/** The attributes that all spans and measurements have. */
export const ofKafka = { "messaging.system": "kafka" } as const;

/** Those of a group's. */
export const ofGroup = (groupId: string) => ({ ...ofKafka, "messaging.consumer.group.name": groupId });

/** The `error.type` of what was thrown: the code of an error of this library, else the name of its class. */
export function errorType(error: unknown): string {
  if (error instanceof KafkaError) return error.code;
  if (!(error instanceof Error)) return "_OTHER";
  return error.name === "Error" ? error.constructor.name : error.name;
}

/** What all of them have in common; `undefined` where they differ, or there are none. */
export function shared<Item, Value>(
  items: readonly Item[],
  valueOf: (item: Item) => Value,
): Value | undefined {
  const [first] = items;
  if (first === undefined) return undefined;
  const value = valueOf(first);
  return items.every((item) => valueOf(item) === value) ? value : undefined;
}
