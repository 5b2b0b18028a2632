import { describe, expect, test } from "vitest";
import {
  describeLoadFailure,
  packageManagerOf,
  type Surroundings,
  unsupported,
} from "../../../src/driver/missing-binding.js";

const here: Surroundings = {
  isMainThread: true,
  versions: { node: "20.20.2", modules: "115" },
  platform: "linux-x64",
  packageManager: "npm",
};

const failure = (message: string, code?: string) => Object.assign(new Error(message), { code });
const notBuilt = failure("Could not locate the bindings file. Tried:\n → /app/build/x.node");

describe("where the native client cannot work", () => {
  test("nothing is said of Node.js's main thread", () => {
    expect(unsupported(here)).toBeUndefined();
  });

  test("a worker thread is told what to do instead, in vitest too", () => {
    const message = unsupported({ ...here, isMainThread: false });
    expect(message).toMatch(/main thread only.*child processes.*pool: "forks"/);
  });

  test.each([
    ["Bun", { bun: "1.3.0" }, "Bun 1.3.0"],
    ["Deno", { deno: "2.5.1" }, "Deno 2.5.1"],
  ])("%s is named with its version, and not as another matter", (_, versions, named) => {
    for (const isMainThread of [true, false]) {
      const message = unsupported({ ...here, isMainThread, versions: { ...here.versions, ...versions } });
      expect(message).toContain(`${named} is not supported`);
      expect(message).toContain("Node.js 20");
      expect(message).toContain("That may change when");
    }
  });
});

describe("why the native client did not load", () => {
  test("not built, with the command of the package manager", () => {
    const of = (packageManager: Surroundings["packageManager"]) =>
      describeLoadFailure(notBuilt, { ...here, packageManager });
    expect(of("npm")).toMatch(/not built.*`npm install-scripts approve @conf.*`npm rebuild @conf/);
    expect(of("pnpm")).toMatch(/not built.*`pnpm approve-builds`.*`pnpm rebuild @conf/);
    expect(of("yarn")).toMatch(/not built.*dependenciesMeta.*`yarn rebuild @conf/);
    expect(of("yarn classic")).toMatch(/not built.*`npm rebuild @conf/);
  });

  test("built for another Node.js, with both ABIs", () => {
    const message = describeLoadFailure(
      failure(
        "The module '/app/x.node'\nwas compiled against a different Node.js version using\n" +
          "NODE_MODULE_VERSION 127. This version of Node.js requires\nNODE_MODULE_VERSION 115.",
        "ERR_DLOPEN_FAILED",
      ),
      here,
    );
    expect(message).toMatch(
      /built for another Node\.js: it has ABI 127.*20\.20\.2 has ABI 115.*`npm rebuild/,
    );
  });

  test("not to be found, as in a bundle", () => {
    const message = describeLoadFailure(
      failure("Cannot find module '@confluentinc/kafka-javascript/librdkafka.js'", "MODULE_NOT_FOUND"),
      here,
    );
    expect(message).toMatch(/was not found.*bundled, make it external/);
  });

  test("a system library that is missing is named", () => {
    const message = describeLoadFailure(
      failure(
        "libsasl2.so.2: cannot open shared object file: No such file or directory",
        "ERR_DLOPEN_FAILED",
      ),
      here,
    );
    expect(message).toContain("needs the system library libsasl2.so.2");
  });

  test("anything else is told as it was, with platform and version", () => {
    expect(describeLoadFailure(failure("invalid ELF header", "ERR_DLOPEN_FAILED"), here)).toMatch(
      /linux-x64 with Node\.js 20\.20\.2: invalid ELF header/,
    );
    expect(describeLoadFailure("thrown text", here)).toContain("thrown text");
  });
});

describe("the package manager in use", () => {
  const files =
    (...paths: string[]) =>
    (path: string) =>
      paths.includes(path);

  test.each([
    ["npm/11.0.0 node/v20 linux x64", "npm"],
    ["pnpm/10.2.0 npm/? node/v20", "pnpm"],
    ["yarn/4.9.1 npm/? node/v20", "yarn"],
    ["yarn/1.22.22 npm/? node/v20", "yarn classic"],
  ])("says its name itself where it runs the program: %s", (userAgent, expected) => {
    expect(packageManagerOf("/app", userAgent, files("/app/package-lock.json"))).toBe(expected);
  });

  test("is told by its lock file, in this folder or above", () => {
    expect(packageManagerOf("/repo/apps/a", undefined, files("/repo/pnpm-lock.yaml"))).toBe("pnpm");
    expect(packageManagerOf("/app", undefined, files("/app/yarn.lock"))).toBe("yarn classic");
    expect(packageManagerOf("/app", "", files("/app/yarn.lock", "/app/.yarnrc.yml"))).toBe("yarn");
    expect(packageManagerOf("/a/b", undefined, files("/a/b/package-lock.json", "/a/yarn.lock"))).toBe("npm");
  });

  test("is npm where nothing tells", () => {
    expect(packageManagerOf("/a/b", undefined, files())).toBe("npm");
  });
});
