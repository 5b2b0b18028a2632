// Installs the packed library into small applications, as its users do, and runs them: test runners, compilers,
// frameworks and bundlers. Each sends and receives a record on the embedded cluster. `getting-started` is what the
// guide of that name says, word by word; it needs a broker, `KAFKA_BROKERS` or one that is started here.
// Needs `npm run build` before.
//
//   npm run test:apps                 all of them
//   npm run test:apps jest-swc tsx    some of them
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { followGuide } from "./follow-guide.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const sources = join(root, "test", "apps");
const nativeBuild = join("node_modules", "@confluentinc", "kafka-javascript", "build");

/** Applications of other versions, by the folder whose sources they take. */
const variants = {
  "nestjs-10": { folder: "nestjs", versions: { "@nestjs/common": "^10.0.0", "@nestjs/core": "^10.0.0" } },
  "nestjs-11": { folder: "nestjs", versions: {} },
};
/** Guides that are followed, and what their commands have to print. */
const guides = {
  "getting-started": {
    "npx tsx demo.ts": { line: "received ", times: 3 },
    "node demo.ts": { line: "received ", times: 3 },
    "npx tsx producer.ts": { line: "written to students[", times: 3 },
    "npx tsx consumer.ts": { line: "received ", times: 3, goesOn: true },
  },
};
const plain = readdirSync(sources).filter((name) => name !== "nestjs" && !(name in guides));
const all = [...plain, ...Object.keys(variants), ...Object.keys(guides)].sort();

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !all.includes(name));
if (unknown.length > 0) fail(`no such application: ${unknown.join(", ")}. There are ${all.join(", ")}`);

const work = mkdtempSync(join(tmpdir(), "typed-kafka-apps-"));
process.on("exit", () => rmSync(work, { recursive: true, force: true }));
const [{ filename }] = JSON.parse(run(root, "npm", "pack", "--json", "--pack-destination", work));
const tarball = join(work, filename);

for (const name of asked.length > 0 ? asked : all) {
  const begin = Date.now();
  if (name in guides) {
    await follow(name);
    console.log(`${name}: passed in ${Math.round((Date.now() - begin) / 1_000)} s`);
    continue;
  }
  const { folder, versions } = variants[name] ?? { folder: name, versions: {} };
  const app = join(work, name);
  cpSync(join(sources, folder), app, { recursive: true });
  const manifest = JSON.parse(readFileSync(join(app, "package.json"), "utf8"));
  manifest.dependencies = { ...manifest.dependencies, ...versions, "typed-kafka": `file:${tarball}` };
  writeFileSync(join(app, "package.json"), JSON.stringify(manifest));
  run(
    app,
    "npm",
    "install",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--no-package-lock",
    "--prefer-offline",
  );
  copyNativeClient(app);
  run(app, "npm", "run", "start");
  console.log(`${name}: passed in ${Math.round((Date.now() - begin) / 1_000)} s`);
  rmSync(app, { recursive: true });
}

/** npm would build the native client for minutes; this one is the same version, built. */
function copyNativeClient(app) {
  cpSync(join(root, nativeBuild), join(app, nativeBuild), { recursive: true });
}

/** Does what a guide says, on a broker. */
async function follow(name) {
  const app = join(work, name);
  mkdirSync(app);
  const broker = process.env["KAFKA_BROKERS"] === undefined ? await startBroker() : undefined;
  const brokers = broker?.brokers ?? process.env["KAFKA_BROKERS"];
  try {
    const page = join(root, "docs", `${name}.md`);
    await followGuide(page, app, { tarball, copyNativeClient, brokers, prints: guides[name] });
  } catch (error) {
    fail(`${name}: ${error.message}`);
  } finally {
    broker?.stop();
  }
}

/** As `npm run kafka`, on a free port. */
async function startBroker() {
  const server = createServer().listen(0);
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  const node = spawn(process.execPath, ["--import", "tsx", "test/support/run-kafka.ts"], {
    cwd: root,
    env: { ...process.env, PORT: String(port) },
    stdio: ["ignore", "pipe", "inherit"],
  });
  process.on("exit", () => node.kill("SIGINT"));
  let output = "";
  for await (const chunk of node.stdout) {
    output += chunk;
    const brokers = /Kafka runs at (\S+)/.exec(output)?.[1];
    if (brokers !== undefined) return { brokers, stop: () => node.kill("SIGINT") };
  }
  return fail(`no broker: ${output}`);
}

function run(cwd, command, ...args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    timeout: 600_000,
    shell: command === "npm" && process.platform === "win32",
  });
  if (status === 0) return stdout;
  return fail(
    `${command} ${args.join(" ")} failed in ${cwd}${error ? `: ${error.message}` : ""}\n${stdout}${stderr}`,
  );
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
