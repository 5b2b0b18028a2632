/**
 * The TypeScript in the guides: README.md and docs/*.md.
 *
 * A sample goes on where the samples before it on its page have ended: it sees what they declare and import, and
 * may declare the same names again. Beside that there is only what `takenForGranted` declares.
 *
 * A fence that names a file (```` ```ts examples/students.ts ````, ```` ```js … ````), or a region of it
 * (`…#processor`), shows its code.
 */
import { readdirSync, readFileSync } from "node:fs";
import ts from "typescript";

/** What the guides speak of without defining it. */
const takenForGranted = `
import type { Consumer, DefaultHeaders, Kafka, Producer, Topic, ValueOf } from "typed-kafka";
import type { students as exampleStudents } from "../examples/students.js";

type Plain<Value, Name extends string> = Topic<Value, string, DefaultHeaders, Name>;
type Order = ValueOf<typeof orders>;

declare global {
  const kafka: Kafka;
  const producer: Producer;
  const consumer: Consumer<typeof orders>;
  const students: typeof exampleStudents;
  const courses: Plain<{ title: string }, "courses">;
  const enrolments: Plain<{ studentId: number }, "enrolments">;
  const orders: Plain<{ id: string; cents: number }, "orders">;
  const payments: Plain<{ id: string; cents: number }, "payments">;
  const invoices: Plain<{ orderId: string; cents: number }, "invoices">;
  const debits: Plain<{ account: string; cents: number }, "debits">;
  const credits: Plain<{ account: string; cents: number }, "credits">;
  const debit: ValueOf<typeof debits>;
  const credit: ValueOf<typeof credits>;
  /** Handlers and the like, of the reader's own. */
  function save(order: Order, signal?: AbortSignal): Promise<void>;
  function saveAll(orders: readonly Order[]): Promise<void>;
  function fetchToken(): Promise<{ accessToken: string; expiresInSeconds: number }>;
}
`;

/** Packages that the guides import and this project does not have. */
const otherPackages = `
declare module "aws-msk-iam-sasl-signer-js" {
  function generateAuthToken(options: { region: string }): Promise<{ token: string; expiryTime: number }>;
}
declare module "pino" {
  type Log = (fields: object | undefined, message: string) => void;
  function pino(options: { level: string }): Readonly<Record<"debug" | "info" | "warn" | "error", Log>>;
}
declare module "@opentelemetry/sdk-node" {
  class NodeSDK {
    start(): void;
  }
}
`;

export interface Sample {
  /** The code between the fences. */
  readonly code: string;
  /** The line of the page on which it begins, from 1. */
  readonly line: number;
  /** The example it shows, as `examples/x.ts` or `examples/x.ts#region`. */
  readonly shows: string | undefined;
}

/** README.md, and the guides. */
export const pages: readonly string[] = [
  "README.md",
  ...readdirSync("docs")
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

/** The TypeScript samples of a page, and those that show JavaScript, in order. */
export function samplesOf(page: string): readonly Sample[] {
  const samples: Sample[] = [];
  let begin: { readonly line: number; readonly shows: string | undefined } | undefined;
  const lines = readFileSync(page, "utf8").split("\n");
  for (const [index, text] of lines.entries()) {
    const fence = /^```(?:ts|(?:ts|js) (?<shows>\S+))$/.exec(text);
    if (begin !== undefined && text === "```") {
      samples.push({ ...begin, code: lines.slice(begin.line - 1, index).join("\n") });
      begin = undefined;
    } else if (begin === undefined && fence !== null)
      begin = { line: index + 2, shows: fence.groups?.["shows"] };
  }
  return samples;
}

/** The code of an example, or of the region of it that is named after a `#`. */
export function exampleCode(shown: string): string {
  const [file = "", region] = shown.split("#");
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  const isMarker = (line: string): boolean => /^\s*\/\/ #(?:end)?region /.test(line);
  if (region === undefined) return lines.filter((line) => !isMarker(line)).join("\n");
  return lines
    .slice(lines.indexOf(`// #region ${region}`) + 1, lines.indexOf(`// #endregion ${region}`))
    .join("\n");
}

/** What the compiler says of the samples of all pages: `docs/topics.md:12: …`. */
export function mistakesInSamples(): readonly string[] {
  const { config } = ts.readConfigFile("tsconfig.json", (path) => ts.sys.readFile(path)) as {
    config: unknown;
  };
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, process.cwd());
  const nameOf = (page: string): string => `${process.cwd()}/docs/${page.replaceAll("/", "-")}.ts`;
  // What shows an example is compiled where it is.
  const ownSamples = (page: string) => samplesOf(page).filter(({ shows }) => shows === undefined);
  const texts = new Map(pages.map((page) => [nameOf(page), moduleOf(ownSamples(page))]));
  texts.set(nameOf("taken-for-granted"), takenForGranted);
  // What protoc would have made for the reader.
  texts.set(`${process.cwd()}/docs/student_pb.ts`, 'export * from "../test/support/proto/student_pb.js";');
  // A `.d.ts`, or it would be a module, which can only add to those that are there.
  texts.set(nameOf("other-packages.d"), otherPackages);
  const host = ts.createCompilerHost(options);
  const fromDisk = host.getSourceFile.bind(host);
  host.fileExists = (path) => texts.has(path) || ts.sys.fileExists(path);
  host.getSourceFile = (path, language, ...rest) => {
    const text = texts.get(path);
    return text === undefined ? fromDisk(path, language, ...rest) : ts.createSourceFile(path, text, language);
  };
  const program = ts.createProgram(
    [...texts.keys()],
    { ...options, noUnusedLocals: false, noUnusedParameters: false },
    host,
  );
  return [...pages, "taken-for-granted", "other-packages.d"].flatMap((page) => {
    const file = program.getSourceFile(nameOf(page));
    return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map(
      ({ start = 0, messageText }) =>
        `${page}:${(file?.getLineAndCharacterOfPosition(start).line ?? 0) + 1}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`,
    );
  });
}

/**
 * The samples as one module, each in a block inside that of the one before, on the lines that they have in the page.
 * What they import is on the first line.
 */
function moduleOf(samples: readonly Sample[]): string {
  const imports = new Set<string>();
  let text = "";
  let line = 1;
  for (const sample of samples) {
    text += `${"\n".repeat(sample.line - 1 - line)}{\n${withoutModuleSyntax(sample.code, imports)}`;
    line = sample.line + sample.code.split("\n").length - 1;
  }
  return `${[...imports].join(" ")} export {};${text}${" }".repeat(samples.length)}`;
}

/** The code without its imports, which are added to `imports`, and without `export`. Every line stays where it is. */
function withoutModuleSyntax(code: string, imports: Set<string>): string {
  const file = ts.createSourceFile("sample.ts", code, ts.ScriptTarget.Latest);
  let text = code;
  const blank = (node: ts.Node): void => {
    const begin = node.getStart(file);
    text =
      text.slice(0, begin) + code.slice(begin, node.end).replaceAll(/[^\n]/g, " ") + text.slice(node.end);
  };
  for (const statement of file.statements) {
    if (ts.isImportDeclaration(statement)) {
      for (const one of eachImport(statement, file)) imports.add(one);
      blank(statement);
    } else if (ts.canHaveModifiers(statement)) {
      for (const modifier of statement.modifiers ?? [])
        if (modifier.kind === ts.SyntaxKind.ExportKeyword) blank(modifier);
    }
  }
  return text;
}

/** One import for each name, so that the same name may be imported by several samples. */
function eachImport(
  { importClause, moduleSpecifier }: ts.ImportDeclaration,
  file: ts.SourceFile,
): readonly string[] {
  const from = `from ${moduleSpecifier.getText(file)};`;
  const bindings = importClause?.namedBindings;
  if (bindings === undefined || !ts.isNamedImports(bindings))
    return [`import ${importClause?.getText(file) ?? ""} ${from}`];
  const type = importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword ? "type " : "";
  return bindings.elements.map((element) => `import { ${type}${element.getText(file)} } ${from}`);
}
