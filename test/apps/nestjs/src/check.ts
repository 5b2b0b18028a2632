import "reflect-metadata";
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { NestFactory } from "@nestjs/core";
import { startEmbeddedKafka } from "typed-kafka/testing";
import { AppModule } from "./app.module";
import { EnrolmentsService } from "./enrolments.service";
import { HealthService } from "./health.service";

async function check(): Promise<void> {
  const embedded = await startEmbeddedKafka();
  process.env["KAFKA_BROKERS"] = embedded.brokers;
  const app = await NestFactory.createApplicationContext(AppModule);
  const service = app.get(EnrolmentsService);
  await service.announce({ id: 1, name: "Samwel" });
  const deadline = Date.now() + 60_000;
  while (service.enrolled.length === 0 && Date.now() < deadline) await sleep(50);
  assert.deepEqual(service.enrolled, [{ id: 1, name: "Samwel" }]);
  assert.equal(await app.get(HealthService).isHealthy(), true);
  await app.close();
  await assert.rejects(service.announce({ id: 2, name: "Alice" }), { code: "CLOSED" });
  await embedded.close();
  console.log("received Samwel");
}

void check();
