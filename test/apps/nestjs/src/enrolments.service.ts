import { Injectable, Logger, type OnApplicationBootstrap } from "@nestjs/common";
import { Kafka, type Producer } from "typed-kafka";
import { type Student, students } from "./students";

@Injectable()
export class EnrolmentsService implements OnApplicationBootstrap {
  readonly enrolled: Student[] = [];
  private readonly logger = new Logger(EnrolmentsService.name);
  private readonly producer: Producer;

  constructor(private readonly kafka: Kafka) {
    this.producer = kafka.producer();
  }

  onApplicationBootstrap(): void {
    // Resolves when the consumer is closed: nobody waits for it here, but somebody has to hear of its failure.
    this.kafka
      .consumer(students, { groupId: "enrolments" })
      .run(({ value }) => this.enrol(value))
      .catch((error: unknown) => {
        this.logger.error("the consumer has stopped", error);
        process.kill(process.pid, "SIGTERM");
      });
  }

  async announce(student: Student): Promise<void> {
    await this.producer.send(students, { value: student });
  }

  private enrol(student: Student): void {
    this.enrolled.push(student);
  }
}
