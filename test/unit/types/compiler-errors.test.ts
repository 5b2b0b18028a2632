import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type ts from "typescript";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

/** What does not compile; what the compiler says of it; and where the wrong part begins, which TypeScript 7 marks. */
const mistakes = [
  {
    what: "a field of another type",
    code: 'await producer.send(students, { value: { id: "1", name: "Samwel" } });',
    says: "Type 'string' is not assignable to type 'number'",
    marks: 'id: "1"',
  },
  {
    what: "a field of another type, in an array",
    code: 'await producer.send(students, [{ value: { id: "1", name: "Samwel" } }]);',
    says: "Type 'string' is not assignable to type 'number'",
    marks: 'id: "1"',
  },
  {
    what: "a field that is missing",
    code: "await producer.send(students, { value: { id: 1 } });",
    says: "Property 'name' is missing in type '{ id: number; }'",
    marks: "value",
  },
  {
    what: "a field too many",
    code: 'await producer.send(students, { value: { id: 1, name: "Samwel", age: 3 } });',
    says: "'age' does not exist in type '{ id: number; name: string; }'",
    marks: "age",
  },
  {
    what: "a misspelt part of the record",
    code: "await producer.send(students, { vlue: student });",
    says: "'vlue' does not exist in type",
    marks: "vlue",
  },
  {
    what: "a key of another type",
    code: "await producer.send(students, { value: student, key: 1 });",
    says: "Type 'number' is not assignable to type 'string'",
    marks: "key",
  },
  {
    what: "a field of another type, in a transaction",
    code: 'await tx.send(students, { value: { id: "1", name: "Samwel" } });',
    says: "Type 'string' is not assignable to type 'number'",
    marks: 'id: "1"',
  },
  {
    what: "a field of another type, in an array in a transaction",
    code: 'await tx.send(students, [{ value: { id: "1", name: "Samwel" } }]);',
    says: "Type 'string' is not assignable to type 'number'",
    marks: 'id: "1"',
  },
  {
    what: "a field of another type, to sendAll",
    code: 'await producer.sendAll(students, [{ value: { id: "1", name: "Samwel" } }]);',
    says: "Type 'string' is not assignable to type 'number'",
    marks: 'id: "1"',
  },
  {
    what: "a misspelt option",
    code: 'kafka.consumer(students, { groupid: "g" });',
    says: "Did you mean to write 'groupId'?",
    marks: "groupid",
  },
  {
    what: "a transform that is no codec",
    code: 'defineTopic("t", { value: z.object({ at: z.array(z.string().transform(Number)) }) });',
    says: '"value.at[]: a transform goes one way only, so what is sent could not be read: use z.codec(...)"',
    marks: "value",
  },
  {
    what: "a Date without a codec",
    code: 'defineTopic("t", { value: z.object({ at: z.date().optional() }) });',
    says: '"value.at: a Date is not JSON, it would be sent and never read',
    marks: "value",
  },
] as const;

const beginning = `
import { defineTopic, type Kafka, type Transaction } from "typed-kafka";
import { z } from "zod";
declare const kafka: Kafka;
declare const tx: Transaction;
const producer = kafka.producer();
const students = defineTopic("students", { value: z.object({ id: z.number(), name: z.string() }) });
const student = { id: 1, name: "Samwel" };
`;

const compilerOptions = {
  target: "ES2023",
  lib: ["ES2023", "ESNext.Disposable"],
  module: "NodeNext",
  customConditions: ["typed-kafka-source"],
  types: ["node"],
  strict: true,
  noEmit: true,
  skipLibCheck: true,
};

const require = createRequire(import.meta.url);

const config = { compilerOptions, files: ["program.ts"] };

let folder: string;
beforeAll(() => {
  // In the project, so that the library and zod are found.
  mkdirSync(".kafka", { recursive: true });
  folder = mkdtempSync(join(".kafka", "compiler-errors-"));
  writeFileSync(
    join(folder, "program.ts"),
    `${beginning}${mistakes.map(({ code }) => code).join("\n")}\nexport {};\n`,
  );
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe.each([
  ["5.9", () => errorsBy("typescript-5.9")],
  ["6", () => errorsBy("typescript")],
  ["7", () => errorsByCommand("node_modules/typescript-7/bin/tsc")],
])("TypeScript %s", (version, compile) => {
  let errors: Errors;
  beforeAll(async () => {
    errors = await compile();
    // Seconds, but where the machine is busy with other things.
  }, 300_000);

  test("finds these mistakes and no others", () => {
    const first = beginning.split("\n").length;
    expect([...errors.keys()]).toEqual(mistakes.map((_, index) => first + index));
  });

  test.each(mistakes.map((mistake, index) => ({ ...mistake, line: beginning.split("\n").length + index })))(
    "names what is wrong with $what",
    ({ line, code, says, marks }) => {
      const error = errors.get(line);
      expect(error?.text).toContain(says);
      // Older compilers mark the call where overloads end at different places.
      if (version === "7") expect(error?.column).toBe(code.indexOf(marks) + 1);
    },
  );
});

interface CompilerError {
  readonly column: number;
  readonly text: string;
}

type Errors = ReadonlyMap<number, CompilerError>;

/** The errors of the program, by its lines: of it alone, without looking for others in the library. */
function errorsBy(compiler: string): Errors {
  const { createProgram, flattenDiagnosticMessageText, ...api } = require(compiler) as typeof ts;
  const { fileNames, options } = api.parseJsonConfigFileContent(config, api.sys, folder);
  const program = createProgram(fileNames, options);
  const file = program.getSourceFile(fileNames[0] ?? "");
  const errors = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)];
  return new Map(
    errors.map(({ start = 0, messageText }) => {
      const { line = -1, character = 0 } = file?.getLineAndCharacterOfPosition(start) ?? {};
      return [line + 1, { column: character + 1, text: flattenDiagnosticMessageText(messageText, "\n") }];
    }),
  );
}

/** The same of a compiler that is no library. */
async function errorsByCommand(tsc: string): Promise<Errors> {
  const child = spawn(process.execPath, [tsc, "-p", folder, "--pretty", "false"]);
  let output = "";
  for await (const chunk of child.stdout) output += String(chunk);
  const errors = output.split(/^(?=\S+\(\d+,\d+\): error )/m);
  return new Map(
    errors.flatMap((text) => {
      const [, line, column] = /^\S*program\.ts\((\d+),(\d+)\)/.exec(text) ?? [];
      return line === undefined ? [] : [[Number(line), { column: Number(column), text }]];
    }),
  );
}
