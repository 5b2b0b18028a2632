import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { requireInstalled } from "../../src/installed-package.js";

let folder: string;
const [, program] = process.argv;

beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "typed-kafka-installed-")));
  mkdirSync(join(folder, "node_modules", "beside-the-program"), { recursive: true });
  writeFileSync(join(folder, "node_modules", "beside-the-program", "index.js"), "module.exports = 'found';");
  writeFileSync(join(folder, "node_modules", "beside-the-program", "broken.js"), "require('nowhere');");
});

afterEach(() => {
  process.argv[1] = program ?? "";
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("a package that is installed", () => {
  test("is found beside this library", () => {
    expect(requireInstalled("zod/package.json")).toMatchObject({ name: "zod" });
  });

  test("is found beside the program where this library is in its bundle", () => {
    process.argv[1] = join(folder, "bundle.js");
    expect(requireInstalled("beside-the-program")).toBe("found");
  });

  test("is said to be missing where the program is a text, given with words that are no paths", () => {
    process.argv[1] = "fast";
    expect(() => requireInstalled("beside-the-program")).toThrow(
      expect.objectContaining({ code: "MODULE_NOT_FOUND" }),
    );
  });

  test("is said to be missing where it is nowhere", () => {
    expect(() => requireInstalled("beside-the-program")).toThrow(
      expect.objectContaining({ code: "MODULE_NOT_FOUND" }),
    );
  });

  test("fails with its own error where it is found and does not load", () => {
    process.argv[1] = join(folder, "bundle.js");
    expect(() => requireInstalled("beside-the-program/broken.js")).toThrow(/'nowhere'/);
  });
});
