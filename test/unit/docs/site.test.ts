import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { groupOf, groups, guides } from "../../../scripts/site/contents.mjs";

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
