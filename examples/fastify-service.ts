/**
 * A service with an HTTP interface: it takes orders, bills them beside, answers a readiness probe, and on SIGTERM
 * finishes what it has begun.
 *
 *     PORT=8080 KAFKA_BROKERS=localhost:9092 node --import tsx examples/fastify-service.ts
 *     curl -d '{"id":"1","cents":2500}' -H 'content-type: application/json' localhost:8080/orders
 *     curl localhost:8080/health
 */
import { fastify } from "fastify";
import { defineTopic, Kafka, SerializationError, type ValueOf } from "typed-kafka";
import { z } from "zod";

const orders = defineTopic("shop-orders", {
  value: z.object({ id: z.string(), cents: z.number().int() }),
  keyOf: ({ id }) => id,
});

// #region service
const app = fastify({ logger: true });
const kafka = new Kafka({
  brokers: process.env["KAFKA_BROKERS"] ?? "localhost:9092",
  logger: {
    debug: (message, fields) => app.log.debug(fields, message),
    info: (message, fields) => app.log.info(fields, message),
    warn: (message, fields) => app.log.warn(fields, message),
    error: (message, fields) => app.log.error(fields, message),
  },
});
await kafka.admin().ensureTopics(orders);
const producer = kafka.producer();

app.post<{ Body: ValueOf<typeof orders> }>("/orders", async (request, reply) => {
  await producer.send(orders, { value: request.body });
  return reply.code(202).send();
});
// What does not fit the topic is the caller's mistake, and `issues` say which.
app.setErrorHandler((error, _, reply) =>
  error instanceof SerializationError
    ? reply.code(400).send({ message: error.message, issues: error.issues })
    : reply.send(error),
);

app.get("/health", async (_, reply) => {
  const { ok, brokers, clients } = await kafka.health({ timeoutMs: 2_000 });
  return reply.code(ok ? 200 : 503).send({
    brokers: brokers.ok,
    clients: clients.map(({ kind, name, state }) => ({ kind, name, state })),
  });
});

// First the server, so that requests in flight can still send; then Kafka: handlers finish, offsets are committed.
app.addHook("onClose", () => kafka.close());
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void app.close());

await app.listen({ host: process.env["HOST"] ?? "0.0.0.0", port: Number(process.env["PORT"] ?? 8080) });
await kafka.consumer(orders, { groupId: "shop-billing" }).run(({ value }) => {
  app.log.info(value, "billed");
});
// #endregion service
