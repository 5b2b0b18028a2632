// Asks Apache Avro (Java) and fastavro (Python) how they read the cases, for test/unit/schema-registry/avro-readings.jsonl:
//   npx tsx test/support/avro/list-readings.ts
import { execFileSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import avsc from "avsc";
import { cacheFolder } from "../kafka/jars.js";
import { readingCases } from "./cases.js";

/** How another library reads a value. */
export interface Reading {
  readonly value?: unknown;
  readonly error?: string;
}

const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

const cases = readingCases.flatMap(({ what, writer, reader, values }) =>
  values.map((value) => {
    const bytes = avsc.Type.forSchema(writer as never)
      .toBuffer(value)
      .toString("hex");
    return { what, writer, reader, bytes };
  }),
);
const input = cases.map((each) => JSON.stringify(each)).join("\n");
const java = answersOf("java", ["-cp", join(jars(), "*"), file("ReadAvro.java")]);
const python = answersOf(join(environment(), "bin", "python"), [file("read_avro.py")]);
const readings = cases.map((each, index) =>
  JSON.stringify({ ...each, java: java[index], python: python[index] }),
);
writeFileSync(file("../../unit/schema-registry/avro-readings.jsonl"), `${readings.join("\n")}\n`);

function answersOf(command: string, parameters: readonly string[]): readonly Reading[] {
  const output = execFileSync(command, parameters, { input, encoding: "utf8" });
  return output
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Reading);
}

function jars(): string {
  const folder = join(cacheFolder(), "avro-for-fixtures");
  const copy = [
    "-q",
    "-B",
    "-f",
    file("pom.xml"),
    "dependency:copy-dependencies",
    `-DoutputDirectory=${folder}`,
  ];
  if (!existsSync(folder)) execFileSync("mvn", copy, { stdio: "inherit" });
  return folder;
}

function environment(): string {
  const folder = join(cacheFolder(), "fastavro");
  if (!existsSync(folder)) {
    execFileSync("python3", ["-m", "venv", folder], { stdio: "inherit" });
    execFileSync(join(folder, "bin", "pip"), ["install", "-q", "fastavro==1.13.1"], { stdio: "inherit" });
  }
  return folder;
}
