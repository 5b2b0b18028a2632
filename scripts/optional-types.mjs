// Part of `npm run build`: lets the declarations compile where an optional package is not installed, without
// skipLibCheck too. What they take from it is `any` then. (The bundler of the declarations drops such comments.)
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
  writeFileSync(join(dist, file), lines.join("\n"));
}
