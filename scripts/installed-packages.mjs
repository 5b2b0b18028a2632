import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./build-native.mjs";

/** What `npm install typed-kafka` brings into an application, by the lock file: entries of it by their paths. */
export function installedPackages() {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  return Object.entries(packages).filter(
    ([path, { dev, devOptional, peer }]) => path !== "" && !dev && !devOptional && !peer,
  );
}
