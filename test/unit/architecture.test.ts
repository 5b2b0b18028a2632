import { ESLint } from "eslint";
import { beforeAll, describe, expect, test } from "vitest";

const rule = "@typescript-eslint/no-restricted-imports";
let eslint: ESLint;

beforeAll(() => {
  eslint = new ESLint({
    ruleFilter: ({ ruleId }) => ruleId === rule,
    // The files below do not exist, so no TypeScript project knows them.
    overrideConfig: { languageOptions: { parserOptions: { projectService: false } } },
  });
});

async function refused(filePath: string, code: string): Promise<boolean> {
  const [result] = await eslint.lintText(code, { filePath });
  const messages = result?.messages ?? [];
  expect(messages.filter(({ ruleId }) => ruleId !== rule)).toEqual([]);
  return messages.length > 0;
}

describe("the linter refuses imports against the architecture", () => {
  test.each([
    ["src/producer/x.ts", "@confluentinc/kafka-javascript"],
    ["src/topic-x.ts", "@confluentinc/kafka-javascript/lib/rdkafka.js"],
    ["src/kafka.ts", "@confluentinc/kafka-javascript"],
    ["src/producer/x.ts", "../consumer/x.js"],
    ["src/consumer/deeper/x.ts", "../../producer/x.js"],
    ["src/group/x.ts", "../consumer/x.js"],
    ["src/group/x.ts", "../delivery/x.js"],
    ["src/delivery/x.ts", "../consumer/x.js"],
    ["src/delivery/x.ts", "../processor/x.js"],
    ["src/processor/x.ts", "../consumer/x.js"],
    ["src/consumer/x.ts", "../transactions/x.js"],
    ["src/producer/x.ts", "../transactions/x.js"],
    ["src/options/x.ts", "../group/x.js"],
    ["src/failure/x.ts", "../consumer/x.js"],
    ["src/driver/x.ts", "../serde/x.js"],
    ["src/serde/x.ts", "../driver/x.js"],
    ["src/record-x.ts", "./driver/x.js"],
    ["src/record-x.ts", "./index.js"],
    ["src/consumer/x.ts", "../index.js"],
    ["src/admin/x.ts", "../kafka.js"],
    ["src/serde/x.ts", "zod"],
    ["src/topic-x.ts", "zod/v4/core"],
    ["src/telemetry/x.ts", "@opentelemetry/api"],
    ["src/kafka.ts", "@opentelemetry/api"],
    ["src/kafka.ts", "./opentelemetry/x.js"],
    ["src/consumer/x.ts", "../opentelemetry/x.js"],
    ["src/telemetry/x.ts", "../consumer/x.js"],
    ["src/schema-registry/x.ts", "avsc"],
    ["src/schema-registry/x.ts", "@bufbuild/protobuf/wkt"],
    ["src/state/x.ts", "classic-level"],
    ["src/schema-registry/x.ts", "../driver/x.js"],
    ["src/consumer/x.ts", "../schema-registry/x.js"],
    ["src/topic-x.ts", "./schema-registry/x.js"],
  ])("%s may not import %s", async (file, source) => {
    expect(await refused(file, `import { x } from "${source}"; void x;`)).toBe(true);
  });

  test.each([
    ["src/driver/x.ts", "@confluentinc/kafka-javascript"],
    ["src/producer/x.ts", "../driver/x.js"],
    ["src/consumer/x.ts", "../failure/x.js"],
    ["src/processor/x.ts", "../delivery/x.js"],
    ["src/processor/x.ts", "../transactions/x.js"],
    ["src/delivery/x.ts", "../group/x.js"],
    ["src/kafka.ts", "./producer/x.js"],
    ["src/driver/x.ts", "../errors.js"],
    ["src/consumer/x.ts", "../telemetry/x.js"],
    ["src/opentelemetry/x.ts", "@opentelemetry/api"],
    ["src/topic-x.ts", "./serde/x.js"],
    ["src/schema-registry/x.ts", "../serde/x.js"],
  ])("%s may import %s", async (file, source) => {
    expect(await refused(file, `import { x } from "${source}"; void x;`)).toBe(false);
  });

  test("zod's types may be imported", async () => {
    expect(await refused("src/serde/x.ts", 'import type { x } from "zod"; export type X = x;')).toBe(false);
  });
});
