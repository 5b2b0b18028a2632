// npm run type-speed -- [topics] [--trace folder]
//
// How long compilers take for a program of many large topics, beside one that has their zod schemas alone. It checks
// against dist/, as users do: `npm run build` before. `--trace` keeps TypeScript 5.9's trace of the topics there.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const { values, positionals } = parseArgs({ options: { trace: { type: "string" } }, allowPositionals: true });
const count = Number(positionals[0] ?? 200);
// In the project, so that its packages are found, and the library by its own name.
mkdirSync(join(root, ".kafka"), { recursive: true });
const work = mkdtempSync(join(root, ".kafka", "type-speed-"));
process.on("exit", () => rmSync(work, { recursive: true, force: true }));

const codec = `import { z } from "zod";
const isoDate = z.codec(z.iso.datetime(), z.date(), { decode: (text) => new Date(text), encode: (date) => date.toISOString() });
`;
const programs = {
  "zod alone": schemas(count),
  topics: topics(count),
  "topics in use": topics(count) + uses(count),
};
for (const [name, text] of Object.entries(programs)) writeProgram(name, text);

console.log(`${count} topics of 32 fields: seconds to check, instantiations, memory`);
for (const compiler of ["typescript-5.9", "typescript", "typescript-7"]) {
  for (const name of Object.keys(programs))
    console.log(`${compiler.padEnd(15)} ${name.padEnd(14)} ${measure(compiler, name)}`);
}
if (values.trace !== undefined) check("typescript-5.9", "topics", "--generateTrace", values.trace);

/** The best of three, which is what the machine's other work disturbs least. */
function measure(compiler, name) {
  const runs = [1, 2, 3].map(() => check(compiler, name, "--extendedDiagnostics"));
  const seconds = runs.map((output) => Number(/^Check time:\s+([\d.]+)/m.exec(output)[1]));
  const [, instantiations] = /^Instantiations:\s+([\d,]+)/m.exec(runs[0]) ?? [];
  const [, memory] = /^Memory used:\s+(\d+)/m.exec(runs[0]);
  return `${Math.min(...seconds)
    .toFixed(2)
    .padStart(6)} s ${(instantiations ?? "").padStart(12)} ${Math.round(memory / 1024)} MB`;
}

function check(compiler, name, ...flags) {
  const tsc = join(root, "node_modules", compiler, "bin", "tsc");
  const { status, stdout, stderr } = spawnSync(process.execPath, [tsc, "-p", folderOf(name), ...flags], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`${compiler}, ${name}: ${stdout}${stderr}`);
  return stdout;
}

function folderOf(name) {
  return join(work, name.replaceAll(" ", "-"));
}

function writeProgram(name, text) {
  const folder = folderOf(name);
  mkdirSync(folder);
  writeFileSync(join(folder, "program.ts"), text);
  const compilerOptions = {
    target: "ES2023",
    module: "NodeNext",
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: ["node"],
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["program.ts"] }));
}

/** A schema as services have them: strings, numbers, enums, nested objects, arrays, unions and codecs, all of its own. */
function schemaOf(index) {
  const nested = `z.object({ street: z.string(), city: z.string(), zip${index}: z.string().optional(), country: z.enum(["ke", "ug", "tz${index}"]) })`;
  const line = `z.object({ sku: z.string(), count: z.int(), price: z.object({ cents: z.int(), currency: z.literal("KES") }), tags${index}: z.array(z.string()) })`;
  const scalars = Array.from(
    { length: 20 },
    (_, field) =>
      `field${field}_${index}: ${["z.string()", "z.number()", "z.boolean()", "z.string().nullable()"][field % 4]}`,
  );
  return `z.object({
  id: z.int(), name: z.string(), createdAt: isoDate, updatedAt: isoDate.optional(),
  address: ${nested}, deliveryAddress: ${nested}.optional(), lines: z.array(${line}),
  status: z.enum(["new", "paid", "sent${index}"]),
  payment: z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("card"), last4: z.string(), expires: isoDate }),
    z.object({ kind: z.literal("mobile"), phone${index}: z.string() }),
  ]),
  attributes: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  position: z.tuple([z.number(), z.number()]),
  notes: z.array(z.object({ by: z.string(), at: isoDate, text: z.string().max(100) })).optional(),
  ${scalars.join(", ")},
})`;
}

function schemas(count) {
  const lines = Array.from(
    { length: count },
    (_, index) =>
      `export const schema${index} = ${schemaOf(index)};\nexport type Value${index} = z.infer<typeof schema${index}>;`,
  );
  return `${codec}${lines.join("\n")}\n`;
}

function topics(count) {
  const lines = Array.from(
    { length: count },
    (_, index) =>
      `export const topic${index} = defineTopic("topic-${index}", { value: ${schemaOf(index)}, keyOf: ({ id }) => String(id) });\nexport type Value${index} = ValueOf<typeof topic${index}>;`,
  );
  return `import { defineTopic, Kafka, type ValueOf } from "typed-kafka";\n${codec}${lines.join("\n")}\n`;
}

function uses(count) {
  const lines = Array.from(
    { length: count },
    (_, index) => `
export async function use${index}(value: Value${index}): Promise<void> {
  await kafka.producer().send(topic${index}, { value: { ...value, name: "other" } });
  await kafka.consumer(topic${index}, { groupId: "g", deadLetter: true }).run(async ({ value }) => {
    await kafka.producer().send(topic${index}, [{ value, key: value.field0_${index} }]);
  });
}`,
  );
  return `declare const kafka: Kafka;\n${lines.join("\n")}\n`;
}
