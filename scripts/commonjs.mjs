// Part of `npm run build`: makes CommonJS of the ES modules in dist/, file by file, with declarations of its own.
// (tsup's CommonJS with shared code goes through a transformer that rewrites optional chaining and private fields:
// slower where every record passes.)
import { build } from "esbuild";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const dist = fileURLToPath(new URL("../dist", import.meta.url));
const target = join(dist, "cjs");
const files = readdirSync(dist);
mkdirSync(target, { recursive: true });

const { outputFiles } = await build({
  // The command is a program, which nobody requires.
  entryPoints: files
    .filter((file) => file.endsWith(".js") && file !== "cli.js")
    .map((file) => join(dist, file)),
  outdir: target,
  outExtension: { ".js": ".cjs" },
  format: "cjs",
  platform: "node",
  target: "node20",
  sourcemap: true,
  // CommonJS has no `import.meta`; what asks for it takes `__filename` then.
  define: { "import.meta.url": "undefined" },
  write: false,
});
for (const { path, text } of outputFiles) {
  writeFileSync(path, path.endsWith(".cjs") ? withCommonJsPaths(text, /(?<=\brequire\()/) : text);
}
for (const file of files.filter((name) => name.endsWith(".d.ts"))) {
  const text = withCommonJsPaths(readFileSync(join(dist, file), "utf8"), /(?<=\bfrom |\bimport\(|\bimport )/);
  writeFileSync(join(target, file.replace(/\.ts$/, ".cts")), text);
}

/** `./chunk.js` → `./chunk.cjs`, where it comes after this. */
function withCommonJsPaths(text, before) {
  return text.replace(new RegExp(`${before.source}(["'])(\\./[^"']+)\\.js\\1`, "g"), "$1$2.cjs$1");
}
