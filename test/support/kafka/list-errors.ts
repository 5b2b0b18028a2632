// Prints the error table of the Kafka version in pom.xml, for test/unit/driver/kafka-errors.txt:
//   npx tsx test/support/kafka/list-errors.ts > test/unit/driver/kafka-errors.txt
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { kafkaJars, kafkaVersion } from "./jars.js";

const source = fileURLToPath(new URL("./ListErrors.java", import.meta.url));
const java = spawnSync("java", ["-cp", join(kafkaJars(), "*"), source], { encoding: "utf8" });
if (java.status !== 0) throw new Error(java.stderr);
process.stdout.write(`# Kafka ${kafkaVersion}, org.apache.kafka.common.protocol.Errors\n${java.stdout}`);
