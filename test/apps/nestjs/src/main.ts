import "reflect-metadata";
import { NestFactory } from "@nestjs/core";
import { AppModule } from "./app.module";

async function main(): Promise<void> {
  const app = await NestFactory.createApplicationContext(AppModule);
  // SIGTERM closes the application, and with it Kafka.
  app.enableShutdownHooks();
}

void main();
