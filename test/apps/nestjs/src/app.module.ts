import { Module } from "@nestjs/common";
import { EnrolmentsService } from "./enrolments.service";
import { HealthService } from "./health.service";
import { KafkaModule } from "./kafka.module";

@Module({ imports: [KafkaModule], providers: [EnrolmentsService, HealthService] })
export class AppModule {}
