import type { Attributes } from "@opentelemetry/api";
import { KafkaError } from "../errors.js";

/** The name of the tracer and of the meter. */
export const instrumentationName = "typed-kafka";

/** Attributes: those of the semantic conventions 1.44, then the library's own. */
export const names = {
  system: "messaging.system",
  operationName: "messaging.operation.name",
  operationType: "messaging.operation.type",
  clientId: "messaging.client.id",
  group: "messaging.consumer.group.name",
  topic: "messaging.destination.name",
  partition: "messaging.destination.partition.id",
  batchSize: "messaging.batch.message_count",
  offset: "messaging.kafka.offset",
  key: "messaging.kafka.message.key",
  tombstone: "messaging.kafka.message.tombstone",
  errorType: "error.type",
  attempt: "typed_kafka.attempt",
  transactionalId: "typed_kafka.transactional_id",
  outcome: "typed_kafka.transaction.outcome",
  failureReason: "typed_kafka.failure.reason",
  failureAction: "typed_kafka.failure.action",
  rebalanceType: "typed_kafka.rebalance.type",
} as const;

const types = { send: "send", process: "process", commit: "settle" } as const;

/** What spans and metrics of an operation have in common. */
export function operationAttributes(name: keyof typeof types): Attributes {
  return { [names.system]: "kafka", [names.operationName]: name, [names.operationType]: types[name] };
}

/** The `error.type` of what was thrown: the code of an error of this library, else the name of its class. */
export function errorType(error: unknown): string {
  if (error instanceof KafkaError) return error.code;
  if (!(error instanceof Error)) return "_OTHER";
  return error.name === "Error" ? error.constructor.name : error.name;
}

/** What all of them have in common; `undefined` where they differ. */
export function shared<Item, Value>(
  items: readonly Item[],
  valueOf: (item: Item) => Value,
): Value | undefined {
  const [first, ...others] = new Set(items.map(valueOf));
  return others.length === 0 ? first : undefined;
}
