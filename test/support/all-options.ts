import { adminSpecs } from "../../src/admin/admin.js";
import { batchSpecs } from "../../src/delivery/batch-delivery.js";
import { failureSpecs } from "../../src/failure/options.js";
import { consumerSpecs } from "../../src/group/options.js";
import { kafkaSpecs } from "../../src/kafka-options.js";
import { openTelemetrySpecs } from "../../src/opentelemetry/open-telemetry.js";
import type { DeclaredOptions } from "../../src/options/spec.js";
import { healthSpecs } from "../../src/preflight/broker-probe.js";
import { checkSpecs } from "../../src/preflight/options.js";
import { processorSpecs } from "../../src/processor/options.js";
import { callSpecs, sendAllSpecs } from "../../src/producer/call-options.js";
import { runSpecs } from "../../src/processor/run-options.js";
import { producerSpecs } from "../../src/producer/options.js";
import { readSpecs } from "../../src/reader/options.js";
import { redriveSpecs } from "../../src/redrive/redrive-options.js";
import { avroSpecs } from "../../src/schema-registry/avro.js";
import { jsonSchemaSpecs } from "../../src/schema-registry/json-schema.js";
import { registrySpecs } from "../../src/schema-registry/options.js";
import { serdeSpecs } from "../../src/schema-registry/serde-options.js";
import { saslSpecs, sslSpecs } from "../../src/security-options.js";
import { tableSpecs, waitSpecs } from "../../src/table/options.js";
import { telemetrySpecs } from "../../src/telemetry/telemetry.js";
import { transactionSpecs } from "../../src/transactions/transaction-options.js";
import { transactionalProducerSpecs } from "../../src/transactions/transactional-producer.js";

/** What takes options, and the table of those: every one that the library exports. */
export interface OptionTable {
  /** What a user calls, or writes. */
  readonly of: string;
  /** The name of the table in the source. */
  readonly table: string;
  /** The interface of the options. */
  readonly type: string;
  readonly specs: DeclaredOptions;
}

export const allOptions: readonly OptionTable[] = [
  { of: "new Kafka", table: "kafkaSpecs", type: "KafkaOptions", specs: kafkaSpecs },
  { of: "ssl", table: "sslSpecs", type: "SslOptions", specs: sslSpecs },
  { of: "sasl", table: "saslSpecs", type: "SaslOptions", specs: saslSpecs },
  { of: "telemetry", table: "telemetrySpecs", type: "Telemetry", specs: telemetrySpecs },
  { of: "kafka.producer", table: "producerSpecs", type: "ProducerOptions", specs: producerSpecs },
  { of: "producer.send", table: "callSpecs", type: "CallOptions", specs: callSpecs },
  { of: "producer.sendAll", table: "sendAllSpecs", type: "CallOptions", specs: sendAllSpecs },
  {
    of: "kafka.transactionalProducer",
    table: "transactionalProducerSpecs",
    type: "TransactionalProducerOptions",
    specs: transactionalProducerSpecs,
  },
  { of: "transactions", table: "transactionSpecs", type: "TransactionOptions", specs: transactionSpecs },
  { of: "kafka.consumer", table: "consumerSpecs", type: "ConsumerOptions", specs: consumerSpecs },
  { of: "failure policy", table: "failureSpecs", type: "FailureOptions", specs: failureSpecs },
  { of: "consumer.runBatch", table: "batchSpecs", type: "BatchOptions", specs: batchSpecs },
  { of: "kafka.processor", table: "processorSpecs", type: "ProcessorOptions", specs: processorSpecs },
  { of: "processor.run", table: "runSpecs", type: "RunOptions", specs: runSpecs },
  { of: "kafka.read", table: "readSpecs", type: "ReadOptions", specs: readSpecs },
  { of: "kafka.table", table: "tableSpecs", type: "TableOptions", specs: tableSpecs },
  { of: "table.ready", table: "waitSpecs", type: "WaitOptions", specs: waitSpecs },
  { of: "kafka.redrive", table: "redriveSpecs", type: "RedriveOptions", specs: redriveSpecs },
  { of: "kafka.admin", table: "adminSpecs", type: "AdminOptions", specs: adminSpecs },
  { of: "kafka.check", table: "checkSpecs", type: "CheckOptions", specs: checkSpecs },
  { of: "kafka.health", table: "healthSpecs", type: "HealthOptions", specs: healthSpecs },
  { of: "schemaRegistry", table: "registrySpecs", type: "SchemaRegistryOptions", specs: registrySpecs },
  { of: "protobuf", table: "serdeSpecs", type: "RegistrySerdeOptions", specs: serdeSpecs },
  { of: "avro", table: "avroSpecs", type: "AvroOptions", specs: avroSpecs },
  { of: "jsonSchema", table: "jsonSchemaSpecs", type: "JsonSchemaOptions", specs: jsonSchemaSpecs },
  {
    of: "openTelemetry",
    table: "openTelemetrySpecs",
    type: "OpenTelemetryOptions",
    specs: openTelemetrySpecs,
  },
];
