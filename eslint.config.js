import { defineConfig, globalIgnores } from "eslint/config";
import tseslint from "typescript-eslint";

/**
 * The arrows of the architecture: what each folder of src/ may import from other folders. The files right
 * in src/ (topic, record, errors, …) are open to all, but for those of `top`, which put everything together
 * and are open to nobody below.
 */
const top = ["index", "kafka", "kafka-options", "kafka-options-from-env", "security-options"];
const mayImport = {
  options: [],
  serde: ["options"],
  telemetry: ["options", "serde"],
  table: ["options", "serde", "driver", "reader"],
  state: ["options", "serde", "telemetry", "driver", "group", "reader", "transactions"],
  failure: ["options", "serde", "telemetry"],
  driver: ["options", "telemetry"],
  group: ["options", "telemetry", "failure", "driver"],
  delivery: ["options", "serde", "telemetry", "failure", "driver", "group"],
  producer: ["options", "serde", "telemetry", "failure", "driver"],
  transactions: ["options", "serde", "telemetry", "failure", "driver", "producer"],
  consumer: ["options", "serde", "telemetry", "failure", "driver", "group", "delivery"],
  reader: ["options", "serde", "driver"],
  processor: [
    ...["options", "serde", "telemetry", "failure", "driver"],
    ...["group", "delivery", "producer", "transactions", "state"],
  ],
  redrive: ["options", "serde", "failure", "driver", "transactions"],
  admin: ["options", "serde", "failure", "driver"],
  preflight: [
    ...["options", "serde", "failure", "driver"],
    ...["group", "producer", "transactions", "consumer", "processor", "state", "admin"],
  ],
  testing: ["driver"],
  opentelemetry: ["options", "telemetry"],
  "schema-registry": ["options", "serde"],
  // A program of its own on top of everything.
  cli: ["serde", "schema-registry", "reader", "admin", "group", "failure", "state", "preflight"],
};
const topPaths = top.map((file) => `src/${file}.ts`);
const folders = Object.keys(mayImport);

const binding = {
  group: ["@confluentinc/kafka-javascript", "@confluentinc/kafka-javascript/**"],
  message: "Only src/driver/ talks to the binding.",
};
const zod = {
  group: ["zod", "zod/**"],
  allowTypeImports: true,
  message: "zod is the user's; its types may be imported, its code may not.",
};
const openTelemetry = {
  group: ["@opentelemetry/**"],
  message: "OpenTelemetry is an optional peer: only src/opentelemetry/ may load it.",
};
const peers = {
  group: ["avsc", "@bufbuild/**", "classic-level"],
  allowTypeImports: true,
  message: "It need not be installed: src/installed-package.ts loads it when it is needed.",
};
const topFiles = {
  regex: String.raw`^(\./|(\.\./)+)(${top.join("|")})\.js$`,
  message: "This file puts everything together: what is below does not import it.",
};
/** @param {readonly string[]} forbidden */
const arrows = (forbidden) => ({
  regex: String.raw`^(\./|(\.\./)+)(${forbidden.join("|")})/`,
  message: "Against the arrows of the architecture, which eslint.config.js lists.",
});

/** @param {string[]} files @param {object[]} patterns @param {string[]} [ignores] */
const restrictImports = (files, patterns, ignores = []) => ({
  files,
  ignores,
  rules: { "@typescript-eslint/no-restricted-imports": ["error", { patterns }] },
});

export default defineConfig(
  globalIgnores(["dist/", "docs/api/", "coverage/", ".kafka/", "**/*_pb.ts", "test/apps/"]),
  tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-confusing-void-expression": [
        "error",
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      // tsc reports the same, and knows more.
      "@typescript-eslint/no-unused-vars": "off",
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "inline-type-imports" }],
      "@typescript-eslint/no-empty-function": ["error", { allow: ["arrowFunctions"] }],
      // The index signature of an options object is looked up by name on purpose.
      "@typescript-eslint/dot-notation": "off",
      // A module of NestJS is its decorator.
      "@typescript-eslint/no-extraneous-class": ["error", { allowWithDecorator: true }],
      eqeqeq: "error",
    },
  },
  restrictImports(topPaths, [binding, zod, openTelemetry, peers, arrows(["opentelemetry"])]),
  restrictImports(
    ["src/*.ts"],
    [
      binding,
      zod,
      openTelemetry,
      peers,
      topFiles,
      arrows(folders.filter((folder) => folder !== "serde" && folder !== "options")),
    ],
    topPaths,
  ),
  ...Object.entries(mayImport).map(([folder, allowed]) =>
    restrictImports(
      [`src/${folder}/**`],
      [
        ...(folder === "driver" ? [] : [binding]),
        ...(folder === "opentelemetry" ? [] : [openTelemetry]),
        zod,
        peers,
        ...(folder === "cli" ? [] : [topFiles]),
        arrows(folders.filter((other) => other !== folder && !allowed.includes(other))),
      ],
    ),
  ),
  {
    files: ["src/**"],
    // What has a date: records, retry topics, tokens, and what is told to people.
    ignores: [
      "src/{failure/failure-policy,group/join-watch,group/owned-partition,processor/task-calls,testing/record-of}.ts",
      "src/{driver/token-renewal,state/restorer,state/task-turns,state/tasks}.ts",
    ],
    rules: {
      "no-restricted-properties": [
        "error",
        {
          object: "Date",
          property: "now",
          message: "A clock can be set. What takes time goes by performance.now().",
        },
      ],
    },
  },
  // Without a project that knows these files, rules that need types cannot run on them.
  { files: ["**/*.js", "**/*.mjs"], extends: [tseslint.configs.disableTypeChecked] },
  {
    files: ["test/**"],
    rules: {
      // Tests pass what must be refused, and look at what comes back without a shape.
      "@typescript-eslint/no-unsafe-assignment": "off",
      "@typescript-eslint/ban-ts-comment": ["error", { minimumDescriptionLength: 3 }],
      // Names and type arguments that are only there to be checked by the compiler.
      "@typescript-eslint/no-meaningless-void-operator": "off",
      "@typescript-eslint/no-unnecessary-type-arguments": "off",
      "@typescript-eslint/no-unused-expressions": "off",
      // User code throws what it likes.
      "@typescript-eslint/only-throw-error": "off",
      "@typescript-eslint/prefer-promise-reject-errors": "off",
      "no-restricted-syntax": [
        "error",
        {
          selector:
            "CallExpression[callee.object.name='vi'][callee.property.name='waitFor'][arguments.length<2]",
          message: "It would wait for a second, which a busy machine may take for anything: say how long.",
        },
      ],
    },
  },
);
