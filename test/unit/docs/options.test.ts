import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { allOptions } from "../../support/all-options.js";
import { optionsPage, optionsPageFile } from "../../support/options-page.js";

const page = readFileSync(optionsPageFile, "utf8");

test("the page of options is what the program says: `npm run docs:options` writes it", async () => {
  expect(page).toBe(await optionsPage());
});

test("the page of options has every option of every client", () => {
  const names = allOptions.flatMap(({ of, specs }) =>
    Object.keys(specs).map((name) => (of === "ssl" || of === "sasl" ? `${of}.${name}` : name)),
  );
  const rows = new Set([...page.matchAll(/^\| `([\w.]+)`/gm)].map(([, name]) => name));
  expect(names.length).toBeGreaterThan(100);
  expect(names.filter((name) => !rows.has(name))).toEqual([]);
});
