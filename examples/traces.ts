/**
 * OpenTelemetry's traces, printed to the console: an order is sent, handled, and what the handler sends is in the same
 * trace. A service exports them by OTLP instead: see docs/observability.md.
 *
 *     KAFKA_BROKERS=localhost:9092 node --import tsx examples/traces.ts
 */
import { context } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { BasicTracerProvider, ConsoleSpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { defineTopic, Kafka } from "typed-kafka";
import { openTelemetry } from "typed-kafka/opentelemetry";
import { z } from "zod";

const orders = defineTopic("traced-orders", { value: z.object({ id: z.string(), cents: z.number().int() }) });
const bills = defineTopic("traced-bills", { value: z.object({ orderId: z.string() }) });

// #region traces
// Without it a handler's span would not be the parent of what the handler sends. NodeSDK sets it up by itself.
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
const tracerProvider = new BasicTracerProvider({
  spanProcessors: [new SimpleSpanProcessor(new ConsoleSpanExporter())],
});

const kafka = new Kafka({
  brokers: process.env["KAFKA_BROKERS"] ?? "localhost:9092",
  telemetry: openTelemetry({ tracerProvider, propagator: new W3CTraceContextPropagator() }),
});
// #endregion traces

await kafka.admin().ensureTopics([orders, bills]);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void kafka.close());

const producer = kafka.producer();
const order = { id: `order-${Date.now()}`, cents: 2_500 };
await producer.send(orders, { value: order });

await kafka.consumer(orders, { groupId: "traced-billing" }).run(async ({ value }) => {
  // In the trace of the send of the order.
  await producer.send(bills, { value: { orderId: value.id } });
  if (value.id === order.id) void kafka.close();
});
await tracerProvider.shutdown();
