import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { groupOf, groups, guides } from "../../../scripts/site/contents.mjs";
import { brokenLinks } from "../../../scripts/site/links.mjs";

test("every guide has its place in the documentation site, Getting started the first", () => {
  const files = readdirSync("docs").filter((name) => name.endsWith(".md"));
  const placed = Object.values(guides).flat();
  expect(placed.map((name) => `${name}.md`).sort()).toEqual(files.sort());
  expect(placed[0]).toBe("getting-started");
});

test.each(Object.values(guides).flat())("%s says in its first lines what the page is for", (name) => {
  const [, paragraph = ""] =
    /^# .+\n\n(?!#|```|\||- )((?:.+\n)+)/m.exec(readFileSync(`docs/${name}.md`, "utf8")) ?? [];
  expect(paragraph).toMatch(/^(?:This page|For |Look here|Read this)/);
});

test("every export of the package is in a group of the site", () => {
  const index = readFileSync("src/index.ts", "utf8");
  const files = [...index.matchAll(/from "\.\/(.+)\.js"/g)].map(([, name = ""]) => `src/${name}.ts`);
  expect(files.length).toBeGreaterThan(40);
  expect(files.map((file) => groupOf(file))).not.toContain(undefined);
  expect(() => groupOf("src/nowhere/file.ts")).toThrow("is in no group");
});

test("the site shows the headings and groups in their order", () => {
  const { groupOrder } = JSON.parse(readFileSync("typedoc.json", "utf8")) as { readonly groupOrder: unknown };
  expect(groupOrder).toEqual([...Object.keys(guides), "Modules", ...Object.keys(groups), "*"]);
});

test("links of the built site are checked: pages, files, and the headings they name", () => {
  const site = mkdtempSync(join(tmpdir(), "site-"));
  try {
    mkdirSync(join(site, "guides"));
    writeFileSync(join(site, "style.css"), "");
    writeFileSync(
      join(site, "index.html"),
      '<link href="style.css"><a id="top" href="#top">x</a><a href="guides/a.html#one%20two">x</a> <a href="guides/a.html#three">x</a>',
    );
    writeFileSync(
      join(site, "guides", "a.html"),
      '<h2 id="one two">x</h2> <a href="https://example.com/gone#x">x</a><a href="../index.html">x</a> <a href="../gone.html">x</a> <img src="gone.png"> <a href="#four">x</a>',
    );
    expect([...brokenLinks(site)].sort()).toEqual([
      "guides/a.html: #four is not there",
      "guides/a.html: ../gone.html is not there",
      "guides/a.html: gone.png is not there",
      "index.html: guides/a.html#three is not there",
    ]);
  } finally {
    rmSync(site, { recursive: true });
  }
});
