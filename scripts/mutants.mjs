// npm run test:mutants [-- words of a promise]
//
// Breaks the library on purpose, one mutant of test/mutants after the other, in a copy of this clone, and runs the
// tests that prove the promise: fails where they pass all the same. `--page` writes docs/guarantees.md instead, which
// has the promises with their tests and mutants.
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { guaranteeRows } from "./guarantees.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** A mutant may have a test wait for ever. */
const mutantTimeoutMs = 180_000;
/** All the tests once, before any mutant. */
const allTimeoutMs = 900_000;

if (process.argv[2] === "--page") writePage();
else process.exitCode = runMutants(process.argv.slice(2).join(" "));

function runMutants(words) {
  const folder = join(root, "test/mutants");
  const mutants = readdirSync(folder)
    .flatMap((name) => JSON.parse(readFileSync(join(folder, name), "utf8")))
    .filter(({ promise, file }) => `${promise} ${file}`.includes(words));
  if (mutants.length === 0) throw new Error(`no promise and no file of one has: ${words}`);
  const copy = mkdtempSync(join(tmpdir(), "typed-kafka-mutants-"));
  try {
    const isNeeded = (path) => !/\/(\.git|node_modules|dist|release|coverage|api)$/.test(path);
    cpSync(root, copy, { recursive: true, filter: isNeeded });
    symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
    const all = run(copy, [...new Set(mutants.flatMap(({ tests }) => tests))], undefined, allTimeoutMs);
    if (all !== "passed") throw new Error(`the tests do not pass without a mutant: ${all}`);
    const survivors = mutants.filter((mutant) => !isKilled(copy, mutant));
    console.log(`${mutants.length - survivors.length} of ${mutants.length} mutants are found`);
    return survivors.length === 0 ? 0 : 1;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

function isKilled(copy, { promise, file, find, replace, tests, proves }) {
  const path = join(copy, file);
  const source = readFileSync(path, "utf8");
  if (source.split(find).length !== 2) throw new Error(`${file} does not have exactly once: ${find}`);
  writeFileSync(
    path,
    source.replace(find, () => replace),
  );
  const began = Date.now();
  const outcome = run(copy, tests, proves);
  writeFileSync(path, source);
  // One that does not load fails every test, and says nothing of the promise.
  const isFound = outcome === "failed" || outcome === "hangs";
  const seconds = ((Date.now() - began) / 1000).toFixed(1);
  console.log(`${isFound ? "found" : "SURVIVES"} (${outcome}, ${seconds} s): ${promise ?? find}`);
  return isFound;
}

function projectOf(test) {
  if (test.startsWith("test/unit/")) return "unit*";
  return test.startsWith("test/faults/") ? "faults" : "integration";
}

/** `passed`; `failed` where a test did; `hangs`; or `broken` where the tests could not be run. */
function run(copy, tests, name, timeout = mutantTimeoutMs) {
  const output = join(copy, "outcome.json");
  rmSync(output, { force: true });
  const projects = new Set(tests.map(projectOf));
  const named =
    name === undefined || name.includes("%") ? [] : ["-t", name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")];
  const inProjects = [...projects].flatMap((project) => ["--project", project]);
  const vitest = ["node_modules/vitest/vitest.mjs", "run", ...inProjects, "--bail=1"];
  const reporter = ["--reporter=json", `--outputFile=${output}`];
  const { error } = spawnSync(process.execPath, [...vitest, ...reporter, ...named, ...tests], {
    cwd: copy,
    timeout,
    killSignal: "SIGKILL",
  });
  if (error?.code === "ETIMEDOUT") return "hangs";
  if (!existsSync(output)) return "broken";
  const { success, numFailedTests, numPassedTests } = JSON.parse(readFileSync(output, "utf8"));
  if (success) return numPassedTests > 0 ? "passed" : "broken";
  return numFailedTests > 0 ? "failed" : "broken";
}

function writePage() {
  const page = join(root, "docs/guarantees.md");
  const promises = JSON.parse(readFileSync(join(root, "test/mutants/promises.json"), "utf8"));
  const [begin] = readFileSync(page, "utf8").split("| promise");
  writeFileSync(page, `${begin}${guaranteeRows(promises).join("\n")}\n`);
  spawnSync(process.execPath, ["node_modules/prettier/bin/prettier.cjs", "--write", page], { cwd: root });
}
