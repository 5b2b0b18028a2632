// Packs the library, installs the tarball into an empty application, and uses it there as its users do:
// compiled against the packed types, imported, and required. Needs `npm run build` before.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root, sourceHash, target } from "./build-native.mjs";
import { entryPoints } from "./entry-points.mjs";

const app = mkdtempSync(join(tmpdir(), "typed-kafka-app-"));
process.on("exit", () => rmSync(app, { recursive: true, force: true }));

const typed = `
import { bytes, defineTopic, Kafka, type ValueOf } from "typed-kafka";
import { jsonSchema, schemaRegistry } from "typed-kafka/schema-registry";
import type { AssignmentChange, Telemetry } from "typed-kafka/telemetry";
import { startEmbeddedKafka } from "typed-kafka/testing";
import { z } from "zod";

const assigned: AssignmentChange[] = [];
const telemetry: Telemetry = { onRebalance: (change) => void assigned.push(change) };
const students = defineTopic("students", { value: z.object({ id: z.number(), name: z.string() }) });
const registry = schemaRegistry({ url: "http://localhost:8081" });
const registered = defineTopic("registered", { value: jsonSchema(registry, z.object({ id: z.int() })) });
export const record: ValueOf<typeof registered> = { id: 1 };
// @ts-expect-error a field of another type
export const wrong: ValueOf<typeof registered> = { id: "1" };
const images = defineTopic("images", { value: bytes() });
// @ts-expect-error a Buffer, and not \`any\`
export const image: ValueOf<typeof images> = 1;
const student: ValueOf<typeof students> = { id: 1, name: "Samwel" };

export async function main(): Promise<void> {
  const embedded = await startEmbeddedKafka();
  const kafka = new Kafka({ brokers: embedded.brokers, telemetry });
  await kafka.producer().send(students, { value: student });
  // @ts-expect-error a field of another type
  await kafka.producer().send(students, { value: { id: "1", name: "Samwel" } });
  for await (const { value } of kafka.consumer(students, { groupId: "app" })) {
    const name: string = value.name;
    console.log(name);
  }
}
`;

const imports = `
import { defineTopic, Kafka } from "typed-kafka";
import { startEmbeddedKafka } from "typed-kafka/testing";
import { z } from "zod";

const students = defineTopic("students", { value: z.object({ id: z.number(), name: z.string() }) });
const embedded = await startEmbeddedKafka();
const kafka = new Kafka({ brokers: embedded.brokers });
await kafka.producer().send(students, { value: { id: 1, name: "Samwel" } });
for await (const { value } of kafka.consumer(students, { groupId: "app" })) {
  if (value.name !== "Samwel") throw new Error("another value came back");
  break;
}
await kafka.close();
await embedded.close();
`;

const withoutPeers = `
import { avro, jsonSchema, protobuf, schemaRegistry } from "typed-kafka/schema-registry";
import { z } from "zod";

const registry = schemaRegistry({ url: "http://localhost:8081" });
jsonSchema(registry, z.object({ id: z.int() }));
const needed = { avsc: () => avro(registry, "string", z.string()), "@bufbuild/protobuf": () => protobuf(registry, {}) };
for (const [name, make] of Object.entries(needed)) {
  let message = "nothing was thrown";
  try {
    make();
  } catch (error) {
    ({ message } = error);
  }
  if (!message.includes("npm install " + name)) throw new Error(name + ": " + message);
}
`;

const withPeers = `
import { ConfigError } from "typed-kafka";
import { avro, protobuf, schemaRegistry } from "typed-kafka/schema-registry";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import { z } from "zod";

const registry = schemaRegistry({ url: "http://localhost:8081" });
protobuf(registry, TimestampSchema);
avro(registry, "string", z.string());
try {
  avro(registry, "nothing", z.string());
  throw new Error("it was not refused");
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
}
`;

const requires = `
const { defineTopic, Kafka } = require("typed-kafka");
const { avro } = require("typed-kafka/schema-registry");
const { startEmbeddedKafka } = require("typed-kafka/testing");
require("typed-kafka/telemetry");
const { z } = require("zod");

async function main() {
  if (typeof avro !== "function") throw new Error("an export is missing");
  const students = defineTopic("students", { value: z.object({ id: z.number(), name: z.string() }) });
  const embedded = await startEmbeddedKafka();
  const kafka = new Kafka({ brokers: embedded.brokers });
  await kafka.producer().send(students, { value: { id: 1, name: "Samwel" } });
  for await (const { value } of kafka.consumer(students, { groupId: "app" })) {
    if (value.name !== "Samwel") throw new Error("another value came back");
    break;
  }
  await kafka.close();
  await embedded.close();
}
main();
`;

const bothCopies = `
import { createRequire } from "node:module";
import * as esm from "typed-kafka";
import { startEmbeddedKafka } from "typed-kafka/testing";
import { z } from "zod";

const cjs = createRequire(import.meta.url)("typed-kafka");
if (cjs.Kafka === esm.Kafka) throw new Error("there is one copy only");

// A topic that one copy defined, clients of both on one native client, and errors of each seen by the other.
const embedded = await startEmbeddedKafka();
for (const [one, other] of [[esm, cjs], [cjs, esm]]) {
  const students = other.defineTopic("students-" + (one === esm), { value: z.object({ id: z.number() }) });
  const kafka = new one.Kafka({ brokers: embedded.brokers });
  await kafka.producer().send(students, { value: { id: 1 } });
  for await (const { value } of kafka.consumer(students, { groupId: one === esm ? "esm" : "cjs" })) {
    if (value.id !== 1) throw new Error("another value came back");
    break;
  }
  const error = await kafka.producer().send(students, { value: { id: "1" } }).catch((error) => error);
  if (!(error instanceof other.SerializationError) || !(error instanceof other.KafkaError)) throw error;
  if (error.issues.length !== 1) throw new Error("the issues are lost");
  if (error instanceof other.ConfigError) throw new Error("it is no ConfigError");
  await kafka.close();
}
await embedded.close();
`;

const observed = `
import { defineTopic, Kafka, string } from "typed-kafka";
import type { Telemetry } from "typed-kafka/telemetry";
import { openTelemetry } from "typed-kafka/opentelemetry";
import { startEmbeddedKafka } from "typed-kafka/testing";

const embedded = await startEmbeddedKafka();
const telemetry: Telemetry = openTelemetry({ recordKeys: false });
const kafka = new Kafka({ brokers: embedded.brokers, telemetry });
await kafka.producer().send(defineTopic("texts", { value: string() }), { value: "hello" });
await kafka.close();
await embedded.close();
// @ts-expect-error an option that does not exist
export const refused = () => openTelemetry({ recordValues: true });
`;

const withoutPeer = `
const error = await import("typed-kafka/opentelemetry").catch((error) => error);
if (error.code !== "ERR_MODULE_NOT_FOUND" || !error.message.includes("'@opentelemetry/api'")) throw error;
`;

const onFastPath = `
import { Kafka } from "typed-kafka";
import { startEmbeddedKafka } from "typed-kafka/testing";

const embedded = await startEmbeddedKafka();
const kafka = new Kafka({ brokers: embedded.brokers });
const { fastPath } = await kafka.health();
await kafka.close();
await embedded.close();
const wanted = process.argv[2] === "fast";
if (fastPath.used !== wanted) throw new Error(JSON.stringify(fastPath));
`;

const brought = bringAddon();
const tarball = JSON.parse(run(root, "npm", "pack", "--json", "--pack-destination", app))[0].filename;

write("package.json", JSON.stringify({ name: "app", private: true, type: "module" }));
// The versions of the project itself, so that only the library under test is news.
const others = ["zod", "typescript", "@types/node"].map((name) => `${name}@${installedVersion(name)}`);
run(app, "npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", `./${tarball}`, ...others);
// npm would build the native client for minutes; this one is the same version, built.
const nativeBuild = join("node_modules", "@confluentinc", "kafka-javascript", "build");
cpSync(join(root, nativeBuild), join(app, nativeBuild), { recursive: true });

write(
  "tsconfig.json",
  JSON.stringify({
    // Without skipLibCheck: the packed declarations have to hold by themselves.
    compilerOptions: {
      target: "ES2023",
      lib: ["ES2023", "ESNext.Disposable"],
      module: "NodeNext",
      // Without @types/node in `types`: the declarations have to ask for it.
      strict: true,
      noEmit: true,
    },
  }),
);
write("typed.ts", typed);
run(app, process.execPath, "node_modules/typescript/bin/tsc");
console.log("types:   the packed declarations compile in an application, and refuse a wrong field");

write("imports.mjs", imports);
run(app, process.execPath, "imports.mjs");
run(app, process.execPath, "--input-type=module", "--eval", imports, "some", "words");
console.log("import:  a record goes through the installed package");

write("on-fast-path.mjs", onFastPath);
const addons = join(app, "node_modules", "typed-kafka", "prebuilt");
checkSums(addons);
run(app, process.execPath, "on-fast-path.mjs", "fast");
renameSync(addons, `${addons}-away`);
run(app, process.execPath, "on-fast-path.mjs", "plain");
run(app, process.execPath, "imports.mjs");
renameSync(`${addons}-away`, addons);
console.log(`addon:   ${brought}; a package without works too, by the plain path`);

write("without-peer.mjs", withoutPeer);
run(app, process.execPath, "without-peer.mjs");
run(
  app,
  "npm",
  "install",
  "--no-audit",
  "--no-fund",
  `@opentelemetry/api@${installedVersion("@opentelemetry/api")}`,
);
write("observed.ts", observed);
run(app, process.execPath, "node_modules/typescript/bin/tsc", "--noEmit", "false");
run(app, process.execPath, "observed.js");
console.log(
  "peer:    typed-kafka/opentelemetry works with @opentelemetry/api, and says that it is missing without",
);
write("without-peers.mjs", withoutPeers);
run(app, process.execPath, "without-peers.mjs");
const peers = ["avsc", "@bufbuild/protobuf"].map((name) => `${name}@${installedVersion(name)}`);
run(app, "npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", ...peers);
write("with-peers.mjs", withPeers);
run(app, process.execPath, "with-peers.mjs");
console.log("peers:   serdes of a schema registry name the package that they need, and find it");

for (const [copy, ending] of [
  ["", "js"],
  ["cjs", "cjs"],
]) {
  for (const { name } of entryPoints) {
    const file = join(app, "node_modules", "typed-kafka", "dist", copy, `${name}.${ending}`);
    if (!existsSync(file)) throw new Error(`${file} is missing`);
  }
}
const commonJs = join(app, "node_modules", "typed-kafka", "dist", "cjs");
for (const file of readdirSync(commonJs).filter((name) => name.endsWith(".cjs"))) {
  const text = readFileSync(join(commonJs, file), "utf8");
  if (text.includes("import.meta")) throw new Error(`${file} has import.meta, which CommonJS does not know`);
}
write("requires.cjs", requires);
run(app, process.execPath, "requires.cjs");
console.log("require: a record goes through the installed package, from CommonJS");

write("both-copies.mjs", bothCopies);
run(app, process.execPath, "both-copies.mjs");
console.log(
  "both:    ES modules and CommonJS in one process share the native client, topics and error classes",
);

/**
 * A release has the addons of all machines in prebuilt/. A clone has its own alone, which set-up compiled: it is packed in
 * their place. Says what is packed.
 */
function bringAddon() {
  const folder = join(root, "prebuilt");
  if (existsSync(folder)) {
    const made = readFileSync(join(folder, "source"), "utf8").trim();
    if (made !== sourceHash())
      throw new Error("prebuilt/ is of another source: node scripts/prebuild-native.mjs");
    return "the addons of prebuilt/ are in the package, with their checksums, and this machine's is used";
  }
  const name = `${target}.node`;
  const addon = readFileSync(join(root, "native", "build", name));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(folder);
  writeFileSync(join(folder, name), addon);
  const sum = createHash("sha256").update(addon).digest("hex");
  writeFileSync(join(folder, "SHA256SUMS"), `${sum}  ${name}\n`);
  return "this machine's addon is in the package and is used";
}

function checkSums(folder) {
  const lines = readFileSync(join(folder, "SHA256SUMS"), "utf8").trim().split("\n");
  const sums = lines.map((line) => line.split("  "));
  const names = readdirSync(folder).filter((name) => name.endsWith(".node"));
  if (names.sort().join() !== sums.map(([, name]) => name).join())
    throw new Error(`addons without a sum: ${names}`);
  for (const [sum, name] of sums)
    if (
      createHash("sha256")
        .update(readFileSync(join(folder, name)))
        .digest("hex") !== sum
    )
      throw new Error(`${name} is not what its checksum says`);
}

function write(name, text) {
  writeFileSync(join(app, name), text);
}

function installedVersion(name) {
  const list = JSON.parse(run(root, "npm", "ls", name, "--depth=0", "--json"));
  return list.dependencies[name].version;
}

function run(cwd, command, ...args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    timeout: 180_000,
    shell: command === "npm" && process.platform === "win32",
  });
  if (status === 0) return stdout;
  console.error(
    `${command} ${args.join(" ")} failed${error ? `: ${error.message}` : ""}\n${stdout}${stderr}`,
  );
  process.exit(1);
}
