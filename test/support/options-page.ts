/** The guide to the options, docs/options.md, from the tables that check them and the comments of their interfaces. */
import { readdirSync, readFileSync } from "node:fs";
import { format, resolveConfig } from "prettier";
import ts from "typescript";
import type { DeclaredOption, DeclaredOptions } from "../../src/options/spec.js";
import { allOptions, type OptionTable } from "./all-options.js";

export const optionsPageFile = "docs/options.md";

const opening = `---
title: Options
---

# Options

Look here for an option: what it does, its default, the values it takes, and what Kafka and kafkajs call it. Every option
of every client is listed. The tables are made from the program itself by \`npm run docs:options\`; do not edit them.

- **Kafka's name** is the property of librdkafka that the option sets. Most are those of the Java client too.
- **kafkajs's name** is the option of kafkajs that is closest. Units and defaults may differ.
- Numbers are whole unless the table says otherwise. Names end with their unit: \`Ms\` is milliseconds.
- An option that does not exist, or a value out of bounds, is a \`ConfigError\` with the option's path, such as
  \`retry.attempts\`. What librdkafka can do beside these goes into \`librdkafka\` of \`new Kafka\`, by its own name.
- Topics and stores are no clients: [Topics and serdes](topics.md) and [State](state.md) have what they take.
`;

/** Where the options of each go, and what stands above them. */
const headings: Readonly<Record<string, string>> = {
  "new Kafka": "The cluster",
  "kafka.producer": "Producing",
  transactions: "Transactions",
  "kafka.consumer": "Consuming",
  "kafka.read": "Reading and tables",
  "kafka.admin": "Administration",
  schemaRegistry: "Schema registry",
  telemetry: "Telemetry",
};

/** How a table is called where that is no function. */
const titles: Readonly<Record<string, string>> = {
  transactions: "Options of all transactions",
  "failure policy": "Options of the failure policy",
  telemetry: "The option `telemetry`",
};

/** The tables in the order of the page. Those of `ssl` and `sasl` are within that of \`new Kafka\`. */
const order = [
  ...["new Kafka", "kafka.health", "kafka.producer", "producer.send", "producer.sendAll", "transactions"],
  ...[
    "kafka.transactionalProducer",
    "kafka.consumer",
    "failure policy",
    "consumer.runBatch",
    "kafka.processor",
  ],
  ...[
    "processor.run",
    "kafka.read",
    "kafka.table",
    "table.ready",
    "kafka.redrive",
    "kafka.admin",
    "kafka.check",
  ],
  ...["schemaRegistry", "protobuf", "avro", "jsonSchema", "telemetry", "openTelemetry"],
];
const withinOthers = ["ssl", "sasl"];

/** The tables that others take beside their own, which the page has once. */
const bases = allOptions.filter(({ of }) =>
  ["transactions", "kafka.consumer", "failure policy", "protobuf"].includes(of),
);

/** The page as it has to be. */
export async function optionsPage(): Promise<string> {
  const documentation = new Documentation();
  const rest = allOptions
    .map(({ of }) => of)
    .filter((of) => !withinOthers.includes(of) && !order.includes(of));
  const sections = [...order, ...rest].flatMap((of) => {
    const table = allOptions.find((one) => one.of === of);
    return table === undefined ? [] : [section(table, documentation)];
  });
  const config = await resolveConfig(optionsPageFile);
  return format([opening, ...sections].join("\n"), { ...config, parser: "markdown" });
}

function section(table: OptionTable, documentation: Documentation): string {
  const parts = bases.filter((base) => base.of !== table.of && isPartOf(base.specs, table.specs));
  const shared = parts.filter(
    (base) => !parts.some((other) => other !== base && isPartOf(base.specs, other.specs)),
  );
  const inherited = new Set(shared.flatMap(({ specs }) => Object.keys(specs)));
  const own = Object.entries(table.specs).filter(
    ([name, spec]) => !(inherited.has(name) && shared.some(({ specs }) => specs[name] === spec)),
  );
  const rows = own.flatMap(([name, spec]) => {
    // An option that is picked from another interface has its comment there.
    const types = [table, ...allOptions.filter(({ specs }) => specs[name] === spec)].map(({ type }) => type);
    const type = types.find((one) => documentation.has(one, name)) ?? table.type;
    return rowsOf(name, name, spec, type, documentation);
  });
  return [
    ...(headings[table.of] === undefined ? [] : [`## ${headings[table.of]}\n`]),
    `### ${titleOf(table.of)}\n`,
    ...(shared.length === 0 ? [] : [`${besides(table, shared)}\n`]),
    "| option | what it is | default | values | Kafka's name | kafkajs's name |",
    "| --- | --- | --- | --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
}

/** Whether most options of one are taken by the other, with the same checks. */
function isPartOf(part: DeclaredOptions, whole: DeclaredOptions): boolean {
  const entries = Object.entries(part);
  const same = entries.filter(([name, spec]) => whole[name] === spec).length;
  return same * 2 > entries.length && entries.length < Object.keys(whole).length;
}

function besides(table: OptionTable, shared: readonly OptionTable[]): string {
  const links = shared.map((other) => {
    const missing = Object.keys(other.specs).filter(
      (name) => !(name in table.specs) || table.specs[name] !== other.specs[name],
    );
    const title = titleOf(other.of);
    const anchor = title
      .toLowerCase()
      .replaceAll(/[^\w -]/g, "")
      .replaceAll(" ", "-");
    const but = missing.length === 0 ? "" : ` (without ${missing.map((name) => `\`${name}\``).join(", ")})`;
    return `[${title}](#${anchor})${but}`;
  });
  return `Beside those below it takes: ${links.join("; ")}.`;
}

function titleOf(of: string): string {
  return titles[of] ?? `\`${of}\``;
}

function rowsOf(
  path: string,
  name: string,
  spec: DeclaredOption,
  type: string,
  documentation: Documentation,
): readonly string[] {
  const cells = [
    `\`${path}\``,
    documentation.of(type, name),
    defaultOf(spec),
    valuesOf(spec),
    spec.property === undefined ? "" : `\`${spec.property}\``,
    spec.kafkajs === undefined ? "" : `\`${spec.kafkajs}\``,
  ];
  const within = documentation.typeOf(type, name);
  return [
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`,
    ...Object.entries(spec.options ?? {}).flatMap(([inner, option]) =>
      rowsOf(`${path}.${inner}`, inner, option, within, documentation),
    ),
  ];
}

function defaultOf({ required, default: value, absent }: DeclaredOption): string {
  if (required) return "required";
  if (absent !== undefined) return absent;
  if (value === Number.MAX_SAFE_INTEGER) return "no limit";
  if (typeof value === "number") {
    const mebibytes = value / 2 ** 20;
    return `${inDigits(value)}${Number.isInteger(mebibytes) && value > 0 ? ` (${mebibytes} MiB)` : ""}`;
  }
  return value === undefined ? "none" : `\`${JSON.stringify(value)}\``;
}

function valuesOf({ kind, min, max, words }: DeclaredOption): string {
  const named = words?.map((word) => `\`"${word}"\``).join(", ");
  if (kind === "position") return `${named ?? ""}, a \`Date\`, offsets`;
  if (min === undefined || max === undefined) return named ?? kinds[kind] ?? kind;
  const from =
    max === Number.MAX_SAFE_INTEGER ? `${inDigits(min)} or more` : `${inDigits(min)} to ${inDigits(max)}`;
  return [from, named].filter((part) => part !== undefined).join(", ");
}

const kinds: Partial<Record<DeclaredOption["kind"], string>> = {
  flag: "`true`, `false`",
  text: "a text",
  function: "a function",
  object: "an object",
  list: "a list",
  topic: "a topic",
  signal: "an `AbortSignal`",
};

function inDigits(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 10 });
}

/** What the comments of the interfaces say. */
class Documentation {
  readonly #properties = new Map<string, ts.PropertySignature>();

  constructor() {
    for (const file of readdirSync("src", { recursive: true, encoding: "utf8" })) {
      if (!file.endsWith(".ts")) continue;
      const text = readFileSync(`src/${file}`, "utf8");
      if (!/^export (interface|type) \w*(Options|Telemetry)\b/m.test(text)) continue;
      ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true).statements.forEach((statement) => {
        if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement))
          this.#add(statement.name.text, statement);
      });
    }
  }

  #add(type: string, node: ts.Node): void {
    ts.forEachChild(node, (child) => {
      if (ts.isPropertySignature(child)) {
        const key = `${type}.${child.name.getText()}`;
        if (!this.#properties.has(key)) this.#properties.set(key, child);
      } else this.#add(type, child);
    });
  }

  has(type: string, name: string): boolean {
    return this.#properties.has(`${type}.${name}`);
  }

  /** The first sentence of a property's comment, without the bounds. */
  of(type: string, name: string): string {
    const property = this.#properties.get(`${type}.${name}`);
    const comment = property === undefined ? "" : commentOf(property);
    if (comment === "") throw new Error(`${type}.${name} has no comment`);
    // What each word of a choice means is more than a sentence.
    const text = /^`\w+`:/.test(comment) ? comment : (/^.*?[^.][.](?= |$)/s.exec(comment)?.[0] ?? comment);
    // The bounds have a column.
    return text
      .replaceAll(
        /[,;] \d{1,3}(?:,\d{3})* to \d{1,3}(?:,\d{3})*(?!,?\d)( milliseconds)?/g,
        (_, unit?: string) => (unit === undefined ? "" : ", in milliseconds"),
      )
      .replace(/ Kafka: [^.]*(\.\w[^.]*)*\.$/, "");
  }

  /** The name of the type of a property, where it is one of options. */
  typeOf(type: string, name: string): string {
    const text = this.#properties.get(`${type}.${name}`)?.type?.getText() ?? "";
    return /\w+Options/.exec(text)?.[0] ?? type;
  }
}

function commentOf(property: ts.PropertySignature): string {
  const [comment] = ts.getJSDocCommentsAndTags(property).filter((node) => ts.isJSDoc(node));
  const text = ts.getTextOfJSDocComment(comment?.comment) ?? "";
  return text
    .replaceAll(/\{@link (\w+(?:\.\w+)?)\}/g, "`$1`")
    .replaceAll(/\s+/g, " ")
    .trim();
}
