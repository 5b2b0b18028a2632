import { describe, expect, test } from "vitest";
import { run } from "../../../src/cli/run.js";
import { version } from "../../../src/version.js";

async function call(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const [out, error]: [string[], string[]] = [[], []];
  const code = await run(args, {
    out: (line) => out.push(line),
    error: (line) => error.push(line),
    environment,
  });
  return { code, out: out.join("\n"), error: error.join("\n") };
}

describe("typed-kafka", () => {
  test("tells its commands, and the options of each", async () => {
    expect(await call(["--help"])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/\n {2}check +tells/),
    });
    expect(await call(["check", "--help"])).toMatchObject({
      code: 0,
      out: expect.stringContaining("--transactional-id id"),
    });
  });

  test.each(["--version", "-v"])("tells its version: %s", async (option) => {
    expect(await call([option])).toEqual({ code: 0, out: version, error: "" });
  });

  test.each<[string, readonly string[], RegExp]>([
    ["no command", [], /usage: typed-kafka/],
    ["a command that is none", ["chek"], /^chek: no such command/],
    ["a name that every object has", ["toString"], /no such command/],
    ["an option that is none", ["check", "--broker", "x"], /Unknown option '--broker'/],
    ["no brokers", ["check"], /^typed-kafka check: --brokers is missing/],
    ["brokers that are none", ["check", "--brokers", "nowhere"], /brokers\[0\]/],
    ["a topic that is none", ["check", "--brokers", "a:1", "--topic", "a b"], /"a b" is no topic name/],
    ["retries without a group", ["check", "--brokers", "a:1", "--retry-delays", "5"], /groupId: is required/],
    [
      "a mechanism that is none",
      ["check", "--brokers", "a:1", "--sasl-mechanism", "x"],
      /--sasl-mechanism x/,
    ],
    [
      "a user without a password",
      ["check", "--brokers", "a:1", "--sasl-mechanism", "plain", "--username", "a"],
      /KAFKA_PASSWORD/,
    ],
    ["an authority that cannot be read", ["check", "--brokers", "a:1", "--ca", "/nowhere"], /--ca \/nowhere/],
  ])("called wrongly (%s) says how, and exits with 2", async (_, args, message) => {
    const { code, error } = await call(args);
    expect(error).toMatch(message);
    expect(code).toBe(2);
  });

  test("exits with 1, and says why, where nobody answers", async () => {
    const { code, out } = await call(["check", "--json", "--timeout", "500"], {
      KAFKA_BROKERS: "127.0.0.1:1",
    });
    expect(JSON.parse(out)).toMatchObject({ ok: false, findings: [{ subject: "brokers", level: "error" }] });
    expect(code).toBe(1);
  });
});
