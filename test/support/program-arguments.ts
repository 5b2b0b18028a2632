import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";
import { entryPoints } from "../../scripts/entry-points.mjs";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
/** As deep as src/, from where the library looks for its addon. */
const folder = join(root, ".kafka");
const made = new Map<string, string>();
/** By the names that other packages import them by. */
const sources = Object.fromEntries(
  entryPoints.map(({ path, source }) => [join("typed-kafka", path), join(root, source)]),
);

/**
 * What to run Node.js with for a TypeScript file in a process of its own, where `typed-kafka` is src/. It and what it takes of
 * this repository are made one file first: that starts in a tenth of the time of three hundred files, each compiled when it
 * is loaded.
 */
export function programArguments(file: string, ...args: readonly string[]): string[] {
  const path = resolve(file);
  let program = made.get(path);
  if (program === undefined) made.set(path, (program = bundle(path)));
  return [program, ...args];
}

function bundle(path: string): string {
  const name = relative(root, path).replaceAll(/\W+/g, "-");
  const {
    outputFiles: [output],
  } = buildSync({
    entryPoints: [path],
    bundle: true,
    write: false,
    platform: "node",
    target: "node20",
    format: "esm",
    packages: "external",
    alias: sources,
    logLevel: "warning",
  });
  const bundled = join(folder, `${name}.mjs`);
  mkdirSync(folder, { recursive: true });
  // Another process may be about to run it.
  const unfinished = `${bundled}.${process.pid}`;
  writeFileSync(unfinished, output?.contents ?? "");
  renameSync(unfinished, bundled);
  return bundled;
}
