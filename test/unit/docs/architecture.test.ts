import { existsSync, readdirSync, readFileSync } from "node:fs";
import { ESLint, type Linter } from "eslint";
import { expect, test } from "vitest";

const eslint = new ESLint();
const root = new URL("../../../", import.meta.url);
const page = readFileSync(new URL("docs/architecture.md", root), "utf8");
const blocks = [...page.matchAll(/^```(?:text|mermaid)\n(.*?)^```/gms)].map(([, block = ""]) => block);
const [tree = ""] = blocks;
const arrows = blocks.find((block) => block.startsWith("flowchart TD")) ?? "";
const folders = readdirSync(new URL("src/", root), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

/** The imports that the linter refuses in a file of this folder of src/. */
async function refusedFrom(folder: string): Promise<readonly RegExp[]> {
  const { rules } = (await eslint.calculateConfigForFile(`src/${folder}/x.ts`)) as Linter.Config;
  const [, { patterns }] = rules?.["@typescript-eslint/no-restricted-imports"] as [
    unknown,
    { patterns: readonly { readonly regex?: string }[] },
  ];
  return patterns.flatMap(({ regex }) => (regex === undefined ? [] : [new RegExp(regex)]));
}

test("the tree shows every folder of src, and no other", () => {
  const shown = [...tree.matchAll(/(?<=[ ])([a-z-]+)\/(?= )/g)].map(([, name = ""]) => name);
  expect(shown.toSorted()).toEqual(folders.toSorted());
});

test("the tree shows files of src that there are", () => {
  const shown = [...tree.matchAll(/[a-z-]+\.ts\b/g)].map(([name]) => name);
  expect(shown.length).toBeGreaterThan(10);
  expect(shown.filter((name) => !existsSync(new URL(`src/${name}`, root)))).toEqual([]);
});

test("the paths in the text exist", () => {
  const paths = [...page.matchAll(/`((?:[a-z-]+\/)+(?:[a-z-]+\.[a-z]+)?)`/g)].map(([, path = ""]) => path);
  expect(paths.length).toBeGreaterThan(8);
  const missing = paths.filter(
    (path) => !existsSync(new URL(path, root)) && !existsSync(new URL(`src/${path}`, root)),
  );
  expect(missing).toEqual([]);
});

test("the classes in the text exist", () => {
  const names = [...page.matchAll(/`([A-Z][a-z]+[A-Z][A-Za-z]+)`/g)].map(([, name = ""]) => name);
  expect(names.length).toBeGreaterThan(15);
  const sources = readdirSync(new URL("src/", root), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => readFileSync(new URL(`src/${path}`, root), "utf8"))
    .join("\n");
  expect(
    names.filter(
      (name) => !new RegExp(`^export (abstract )?(class|interface|type) ${name}\\b`, "m").test(sources),
    ),
  ).toEqual([]);
});

test("each arrow is one that the linter allows", async () => {
  const lines = arrows.split("\n").filter((line) => line.includes("-->"));
  const pairs = lines.flatMap((line) => {
    const [from = [], to = []] = line.split("-->").map((side) => side.split("&").map((name) => name.trim()));
    return from.flatMap((one) => to.map((other) => [one, other] as const));
  });
  expect(pairs.length).toBeGreaterThan(15);
  const against: string[] = [];
  for (const [from, to] of pairs) {
    if (!from.startsWith("kafka")) expect(folders).toContain(from);
    expect(folders).toContain(to);
    const refused = from.startsWith("kafka") ? [] : await refusedFrom(from);
    if (refused.some((pattern) => pattern.test(`../${to}/x.js`))) against.push(`${from} --> ${to}`);
  }
  expect(against).toEqual([]);
});
