import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { posix } from "node:path";
import { describe, expect, test } from "vitest";
import { entryPoints } from "../../scripts/entry-points.mjs";

const root = new URL("../../", import.meta.url);
const manifest = JSON.parse(readFileSync(new URL("package.json", root), "utf8")) as {
  readonly exports: Readonly<Record<string, unknown>>;
  readonly typesVersions: unknown;
};

describe("the package", () => {
  test.each(entryPoints)(
    "$path is an ES module and CommonJS, with types for both",
    ({ name, path, source }) => {
      expect(manifest.exports[path]).toEqual({
        "typed-kafka-source": `./${source}`,
        import: { types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` },
        require: { types: `./dist/cjs/${name}.d.cts`, default: `./dist/cjs/${name}.cjs` },
      });
      // The first that applies is taken, and the source has to be it in this project.
      expect(Object.keys(manifest.exports[path] as object)[0]).toBe("typed-kafka-source");
    },
  );

  test("every entry point has its types where TypeScript does not read `exports`", () => {
    const paths = entryPoints.filter(({ name }) => name !== "index").map(({ name }) => name);
    expect(manifest.typesVersions).toEqual({
      "*": Object.fromEntries(paths.map((name) => [name, [`./dist/cjs/${name}.d.cts`]])),
    });
  });

  test("every entry point is in the documentation site", () => {
    const { entryPoints: documented } = JSON.parse(readFileSync(new URL("typedoc.json", root), "utf8")) as {
      readonly entryPoints: readonly string[];
    };
    expect([...documented].sort()).toEqual(entryPoints.map(({ source }) => source).sort());
  });

  test("every link of README and the guides works in what is installed", () => {
    const pack = ["pack", "--dry-run", "--json", "--ignore-scripts"];
    const packed = JSON.parse(execFileSync("npm", pack, { cwd: root, encoding: "utf8", stdio: "pipe" })) as [
      { readonly files: readonly { readonly path: string }[] },
    ];
    const files = packed[0].files.map(({ path }) => path);
    const pages = files.filter((path) => /^(README\.md|docs\/.*\.md)$/.test(path));
    const links = pages.flatMap((page) => {
      const text = readFileSync(new URL(page, root), "utf8");
      return [...text.matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)].map(([, target = ""]) => ({
        page,
        target: posix.join(posix.dirname(page), target),
      }));
    });
    expect(pages.length).toBeGreaterThan(10);
    expect(links.filter(({ page }) => page === "README.md").length).toBeGreaterThan(10);
    expect(links.filter(({ target }) => !files.includes(target))).toEqual([]);
  });
});
