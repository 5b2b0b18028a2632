// npm run test:native
//
// Builds the addon of the fast path with the compiler's sanitizers, and runs on it what crosses it: the integration
// tests with AddressSanitizer and UndefinedBehaviorSanitizer, and a program that makes and closes many clients with
// those and with ThreadSanitizer, where that runs the binding at all. Needs GCC on Linux, and what the tests need.
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const tests = [
  ...["fast-path", "producer-send", "producer-send-all", "transactions", "consumer-delivery"],
  ...["admin/admin", "admin/group-kinds"],
];

const program = bundle();
const broker = await startBroker();
let hasFailed = false;
try {
  const memory = sanitized("address,undefined", ["libasan.so", "libubsan.so"], {
    // Node frees little at its end, and the signals are V8's.
    // What is freed is kept for a while, to notice who uses it: so little that a test of memory does not see it.
    ASAN_OPTIONS: "detect_leaks=0:handle_segv=0:use_sigaltstack=0:quarantine_size_mb=16",
  });
  const vitest = ["node_modules/vitest/vitest.mjs", "run", "--project", "integration"];
  const files = tests.map((name) => `test/integration/${name}.test.ts`);
  await step("integration tests, memory", [...vitest, ...files], memory);
  await step("200 clients, memory", manyClients("memory", 200), memory);
  const threads = sanitized("thread", ["libtsan.so"], {
    // Node and librdkafka were not compiled with it.
    TSAN_OPTIONS: "ignore_noninstrumented_modules=1:exitcode=66",
  });
  const withoutAddon = { ...threads, TYPED_KAFKA_NATIVE: "off" };
  if ((await run(manyClients("plain", 1), withoutAddon, "ignore")) === 0)
    await step("200 clients, threads", manyClients("threads", 200), threads);
  else console.log("== The binding does not run with ThreadSanitizer here, even without the addon: left out");
} finally {
  broker.end();
}
process.exit(hasFailed ? 1 : 0);

/** The environment of programs that load the addon built with a sanitizer. */
function sanitized(sanitizer, libraries, options) {
  const built = spawnSync(process.execPath, ["scripts/build-native.mjs", `--sanitize=${sanitizer}`], {
    cwd: root,
    encoding: "utf8",
  });
  if (built.status !== 0) throw new Error(built.stderr);
  const preloaded = libraries.map((library) =>
    spawnSync("c++", [`-print-file-name=${library}`], { encoding: "utf8" }).stdout.trim(),
  );
  if (!preloaded.every((file) => existsSync(file))) throw new Error(`there is no ${libraries.join(", ")}`);
  return { TYPED_KAFKA_NATIVE: built.stdout.trim(), LD_PRELOAD: preloaded.join(" "), ...options };
}

/** A loader of TypeScript has threads of its own, which sanitizers may not run with. */
function bundle() {
  const outfile = join(root, "native", "build", "many-clients.mjs");
  buildSync({
    entryPoints: [join(root, "test/support/programs/many-clients.ts")],
    outfile,
    bundle: true,
    packages: "external",
    platform: "node",
    target: "node20",
    format: "esm",
    alias: { "typed-kafka": join(root, "src/index.ts") },
  });
  return outfile;
}

/** The parameters of Node for the program of so many clients. */
function manyClients(what, count) {
  return ["--expose-gc", program, broker.address, `many-clients-${what}-${Date.now()}`, String(count)];
}

async function step(name, parameters, environment) {
  console.log(`\n== ${name}`);
  const code = await run(parameters, environment, "inherit");
  if (code === 0) return;
  hasFailed = true;
  console.error(`== ${name}: ended with ${code}`);
}

function run(parameters, environment, stdio) {
  const env = { ...process.env, ...environment, KAFKA_BROKERS: broker.address };
  const child = spawn(process.execPath, parameters, { cwd: root, env, stdio });
  return new Promise((resolve) => {
    child.once("close", (code, signal) => resolve(code ?? signal));
  });
}

/** A broker outside of the sanitizers, with which Java does not run. */
async function startBroker() {
  const port = "19292";
  const child = spawn(process.execPath, ["--import", "tsx", "test/support/run-kafka.ts"], {
    cwd: root,
    env: { ...process.env, PORT: port, KAFKA_FOR_TESTS: "1" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  await new Promise((resolve, reject) => {
    child.stdout.on("data", (text) => {
      if (String(text).includes("Kafka runs at")) resolve();
    });
    child.once("close", () => reject(new Error("Kafka did not start")));
  });
  return { address: `127.0.0.1:${port}`, end: () => child.kill() };
}
