// Part of `npm run build`: lets the declarations compile by themselves, without skipLibCheck too. (The bundler of the
// declarations drops such comments.)
// - Where an optional package is not installed, what they take from it is `any`.
// - `Buffer` comes from @types/node, which TypeScript 6 and later load only where a program asks for it.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const { peerDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const dist = join(root, "dist");

for (const file of readdirSync(dist).filter((name) => name.endsWith(".d.ts"))) {
  const text = readFileSync(join(dist, file), "utf8");
  const lines = text.split("\n").map((line) => {
    const [, from = ""] = /^import .* from ['"]([^'"]+)['"];$/.exec(line) ?? [];
    const isOptional = Object.keys(peerDependencies).some(
      (name) => from === name || from.startsWith(`${name}/`),
    );
    return isOptional ? `// @ts-ignore: it need not be installed\n${line}` : line;
  });
  const usesNode = /\b(?:Buffer|NodeJS|asyncDispose)\b/.test(text);
  writeFileSync(join(dist, file), `${usesNode ? '/// <reference types="node" />\n' : ""}${lines.join("\n")}`);
}
