import { Injectable } from "@nestjs/common";
import { Kafka } from "typed-kafka";

/** For `/health`, or an indicator of @nestjs/terminus. */
@Injectable()
export class HealthService {
  constructor(private readonly kafka: Kafka) {}

  async isHealthy(): Promise<boolean> {
    return (await this.kafka.health()).ok;
  }
}
