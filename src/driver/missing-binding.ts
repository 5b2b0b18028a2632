import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/** Where the native client is to be loaded. */
export interface Surroundings {
  readonly isMainThread: boolean;
  /** `process.versions`. */
  readonly versions: Readonly<Record<string, string | undefined>>;
  /** The platform and architecture, such as `linux-x64`. */
  readonly platform: string;
  /** The package manager that installed the dependencies of this program. */
  readonly packageManager: PackageManager;
}

export type PackageManager = "npm" | "pnpm" | "yarn" | "yarn classic";

const native = "@confluentinc/kafka-javascript";

/** Why the native client cannot work here whatever is installed; `undefined` where it can. */
export function unsupported({ isMainThread, versions }: Surroundings): string | undefined {
  for (const [name, version] of [
    ["Bun", versions["bun"]],
    ["Deno", versions["deno"]],
  ]) {
    if (version === undefined) continue;
    return (
      `${name} ${version} is not supported: the native Kafka client is an addon that needs V8 as Node.js embeds it, ` +
      `which ${name} does not have. That may change when ${native} is built on Node-API, which no version of it is ` +
      "yet. Run this program with Node.js 20 or later."
    );
  }
  if (isMainThread) return undefined;
  return (
    "The native Kafka client works on the main thread only: make clients there and pass records to worker threads, " +
    'or use child processes. In vitest, set `pool: "forks"`, which is its default.'
  );
}

/** What is the matter where the native client did not load, and what to do about it. */
export function describeLoadFailure(error: unknown, surroundings: Surroundings): string {
  const { code, message } = parts(error);
  const { versions, platform, packageManager } = surroundings;
  const rebuild = rebuildCommand(packageManager);

  // Node.js names the package itself, where a file of it or the addon is missing it names that.
  if (code === "MODULE_NOT_FOUND" && message.includes(native)) {
    return (
      `The package ${native} was not found. Where this program is bundled, make it external and install it beside ` +
      "the bundle (`npm install typed-kafka` brings it); else install the dependencies again."
    );
  }
  const [, builtFor] = /NODE_MODULE_VERSION (\d+)/.exec(message) ?? [];
  if (builtFor !== undefined) {
    return (
      `The native Kafka client was built for another Node.js: it has ABI ${builtFor}, and Node.js ` +
      `${String(versions["node"])} has ABI ${String(versions["modules"])}. Build it again: \`${rebuild}\`.`
    );
  }
  const [, library] = /(lib[^\s:]+): cannot open shared object file/.exec(message) ?? [];
  if (library !== undefined) {
    return (
      `The native Kafka client needs the system library ${library}, which is not installed here: install it, or build ` +
      `the native client on this machine: \`${rebuild}\`.`
    );
  }
  if (message.startsWith("Could not locate the bindings file")) {
    return (
      `The native Kafka client is not built: the install script of ${native} did not run. ` +
      `${approval(packageManager)}run \`${rebuild}\`.`
    );
  }
  return (
    `The native Kafka client does not load on ${platform} with Node.js ${String(versions["node"])}: ${message} ` +
    `Build it again: \`${rebuild}\`.`
  );
}

function rebuildCommand(packageManager: PackageManager): string {
  // Yarn 1 has no such command; npm's works on the same folders.
  return `${packageManager === "yarn classic" ? "npm" : packageManager} rebuild ${native}`;
}

/** What has to be allowed before install scripts run at all. */
function approval(packageManager: PackageManager): string {
  switch (packageManager) {
    case "npm":
      return `With npm 12 and later, allow it with \`npm install-scripts approve ${native}\`. Then `;
    case "pnpm":
      return `Allow it with \`pnpm approve-builds\`, which writes it into pnpm-workspace.yaml. Then `;
    case "yarn":
      return `Where .yarnrc.yml has \`enableScripts: false\`, set \`dependenciesMeta["${native}"].built\` to true in package.json. Then `;
    case "yarn classic":
      return "To build it, ";
  }
}

function parts(error: unknown): { readonly code: unknown; readonly message: string } {
  if (!(error instanceof Error)) return { code: undefined, message: String(error) };
  return { code: "code" in error ? error.code : undefined, message: error.message };
}

/** Told by the lock file in this folder or above it, where npm, pnpm or yarn does not say so itself. */
export function packageManagerOf(
  folder: string,
  userAgent: string | undefined,
  exists: (path: string) => boolean = existsSync,
): PackageManager {
  const [, name, major] = /^(npm|pnpm|yarn)\/(\d+)/.exec(userAgent ?? "") ?? [];
  if (name === "yarn") return Number(major) > 1 ? "yarn" : "yarn classic";
  if (name === "npm" || name === "pnpm") return name;
  for (let at = folder; ; at = dirname(at)) {
    if (exists(join(at, "pnpm-lock.yaml"))) return "pnpm";
    if (exists(join(at, "yarn.lock"))) return exists(join(at, ".yarnrc.yml")) ? "yarn" : "yarn classic";
    if (exists(join(at, "package-lock.json")) || at === dirname(at)) return "npm";
  }
}
