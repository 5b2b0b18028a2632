import { Global, Logger, Module, type OnApplicationShutdown } from "@nestjs/common";
import { Kafka } from "typed-kafka";

const logger = new Logger("Kafka");

const kafka = {
  provide: Kafka,
  useFactory: () =>
    new Kafka({
      brokers: process.env["KAFKA_BROKERS"] ?? "localhost:9092",
      clientId: "students",
      logger: {
        debug: (message, fields) => logger.debug({ message, ...fields }),
        info: (message, fields) => logger.log({ message, ...fields }),
        warn: (message, fields) => logger.warn({ message, ...fields }),
        error: (message, fields) => logger.error({ message, ...fields }),
      },
    }),
};

@Global()
@Module({ providers: [kafka], exports: [kafka] })
export class KafkaModule implements OnApplicationShutdown {
  constructor(private readonly kafka: Kafka) {}

  /** Waits for the handlers in flight, commits, and leaves the groups. */
  async onApplicationShutdown(): Promise<void> {
    await this.kafka.close();
  }
}
