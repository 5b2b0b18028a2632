// The entry points of the package, as the exports of package.json name them: the one list that the build, the
// documentation site and the checks of the package take.
import { readFileSync } from "node:fs";

const { exports } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));

/** Name in the build (`index`, `testing`, …), path of what users import, and source file of each. */
export const entryPoints = Object.entries(exports).flatMap(([path, { "typed-kafka-source": source }]) => {
  if (source === undefined) return [];
  return [
    { name: path === "." ? "index" : path.slice("./".length), path, source: source.slice("./".length) },
  ];
});
