/**
 * A NestJS application: one `Kafka` in a module, a service that sends and consumes, a health route, and shutdown hooks.
 * Nest's decorators need `"experimentalDecorators": true` in the tsconfig.json beside package.json.
 *
 *     PORT=8080 KAFKA_BROKERS=localhost:9092 node --import tsx examples/nestjs-service.ts
 *     curl -X POST localhost:8080/students/1/Samwel
 *     curl localhost:8080/health
 */
import "reflect-metadata";
import { Controller, Get, Global, HttpException, Inject, Logger, Module, Param, Post } from "@nestjs/common";
import type { OnApplicationBootstrap, OnApplicationShutdown } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { FastifyAdapter } from "@nestjs/platform-fastify";
import { defineTopic, Kafka, type Producer } from "typed-kafka";
import { z } from "zod";

const students = defineTopic("nest-students", {
  value: z.object({ id: z.string(), name: z.string() }),
  keyOf: ({ id }) => id,
});

// `@Inject` names what is injected: tsx, esbuild and Node.js emit no metadata of types. With tsc it can be left out.
const useFactory = () => new Kafka({ brokers: process.env["KAFKA_BROKERS"] ?? "localhost:9092" });

@Global()
@Module({ providers: [{ provide: Kafka, useFactory }], exports: [Kafka] })
class KafkaModule implements OnApplicationShutdown {
  constructor(@Inject(Kafka) private readonly kafka: Kafka) {}

  /** Waits for the handlers in flight, commits, and leaves the groups. */
  async onApplicationShutdown(): Promise<void> {
    await this.kafka.close();
  }
}

@Controller()
class StudentsController implements OnApplicationBootstrap {
  private readonly logger = new Logger("Students");
  private readonly producer: Producer;

  constructor(@Inject(Kafka) private readonly kafka: Kafka) {
    this.producer = kafka.producer();
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.kafka.admin().ensureTopics(students);
    const consumer = this.kafka.consumer(students, { groupId: "nest-enrolments" });
    // Resolves when the consumer is closed: nobody waits for it here, but somebody has to hear of its failure.
    consumer
      .run(({ value }) => this.logger.log(`enrolled ${value.name}`))
      .then(() => this.logger.log("the consumer has left its group"))
      .catch((error: unknown) => {
        this.logger.error("the consumer has stopped", error);
        process.kill(process.pid, "SIGTERM");
      });
  }

  @Post("students/:id/:name")
  async announce(@Param() student: { readonly id: string; readonly name: string }): Promise<void> {
    await this.producer.send(students, { value: student });
  }

  @Get("health")
  async health(): Promise<{ readonly clients: readonly string[] }> {
    const { ok, clients } = await this.kafka.health({ timeoutMs: 2_000 });
    const states = clients.map(({ kind, state }) => `${kind}: ${state}`);
    if (!ok) throw new HttpException({ clients: states }, 503);
    return { clients: states };
  }
}

@Module({ imports: [KafkaModule], controllers: [StudentsController] })
class AppModule {}

const app = await NestFactory.create(AppModule, new FastifyAdapter());
app.enableShutdownHooks(); // SIGTERM closes the application, and with it Kafka
await app.listen(Number(process.env["PORT"] ?? 8080), process.env["HOST"] ?? "0.0.0.0");
