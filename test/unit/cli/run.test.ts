import { describe, expect, test } from "vitest";
import { version } from "../../../src/version.js";
import { callCommand as call } from "../../support/call-command.js";

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
    ["a command that is none", ["chek"], /no such command: chek/],
    ["kcat's consumer", ["-C", "-b", "a:1"], /no such command: -C. kcat -C is typed-kafka tail TOPIC/],
    ["kcat's list", ["-Lb", "a:1"], /kcat -L is typed-kafka topics/],
    ["kcat's producer", ["-P", "-b", "a:1"], /records are written by programs/],
    ["kcat's format", ["tail", "-b", "a:1", "-t", "t", "-f", "%s\\n"], /given with --format/],
    ["a name that every object has", ["toString"], /no such command/],
    ["an option that is none", ["check", "--broker", "x"], /Unknown option '--broker'/],
    ["no brokers", ["check"], /^typed-kafka check: --brokers is missing/],
    ["brokers that are none", ["check", "--brokers", "nowhere"], /^typed-kafka check: --brokers: .*port/],
    ["a topic that is none", ["check", "--brokers", "a:1", "--topic", "a b"], /"a b" is no topic name/],
    [
      "retries without a group",
      ["check", "--brokers", "a:1", "--retry-delays", "5"],
      /^typed-kafka check: --group: is required/,
    ],
    ["a password among the options", ["check", "--password", "x"], /passwords are no options/],
    ["no topic", ["tail", "-b", "a:1"], /^typed-kafka tail: --topic is missing/],
    ["a position that is none", ["tail", "t", "-b", "a:1", "-o", "soon"], /--from soon: expected beginning/],
    ["two ways to print", ["tail", "t", "-b", "a:1", "-J", "-K", ":"], /--json and -K contradict/],
    ["an end and no end", ["tail", "t", "-b", "a:1", "-f", "-e"], /--follow and -e contradict/],
    ["no registry", ["tail", "t", "-b", "a:1", "-r", "x"], /^typed-kafka tail: --schema-registry: expected/],
    ["no group", ["lag", "-b", "a:1"], /^typed-kafka lag: --group is missing/],
    ["two groups", ["lag", "a", "b", "-b", "a:1"], /expected one word, got 2/],
    [
      "no place to move to",
      ["groups", "reset", "g", "-b", "a:1", "-t", "t"],
      /groups reset: --to is missing/,
    ],
    [
      "an offset of no partition",
      ["dead-letters", "redrive", "-b", "a:1", "-t", "t", "-G", "g", "-o", "1"],
      /--partition and --offset go together/,
    ],
    [
      "a partition of no offset",
      ["dead-letters", "redrive", "-b", "a:1", "-t", "t", "-G", "g", "-p", "1"],
      /--partition and --offset go together/,
    ],
    [
      "an assignor that is none",
      ["check", "-b", "a:1", "-G", "g", "--assignor", "x"],
      /^typed-kafka check: --assignor: /,
    ],
    [
      "a mechanism that is none",
      ["check", "--brokers", "a:1", "--sasl-mechanism", "x"],
      /--sasl-mechanism x/,
    ],
    [
      "a user without a password",
      ["check", "--brokers", "a:1", "--sasl-mechanism", "plain", "--username", "a"],
      /KAFKA_SASL_PASSWORD/,
    ],
    ["an authority that cannot be read", ["check", "--brokers", "a:1", "--ca", "/nowhere"], /--ca \/nowhere/],
  ])("called wrongly (%s) says how, and exits with 2", async (_, args, message) => {
    const { code, error } = await call(args);
    expect(error).toMatch(message);
    // What is wrong, how it is called, and where there is more.
    if (args.length > 0) expect(error).toMatch(/^.+\nusage: typed-kafka .+\ntyped-kafka .*--help tells .+$/);
    expect(code).toBe(2);
  });

  test("exits with 1, and says why, where nobody answers", async () => {
    const { code, out } = await call(["check", "--json", "--timeout", "500"], {
      KAFKA_BROKERS: "127.0.0.1:1",
    });
    expect(JSON.parse(out)).toMatchObject({ ok: false, findings: [{ subject: "brokers", level: "error" }] });
    expect(code).toBe(1);
  });

  test.each([
    ["dead-letters", "list", "-t", "students", "-G", "etl"],
    ["topics"],
    ["tail", "students"],
    ["lag", "etl"],
    ["groups"],
    ["groups", "reset", "etl", "-t", "students", "--to", "latest"],
  ])("a broker that is dead is named, and what was to be done: %s %s", async (...args) => {
    const { code, error } = await call([...args.filter(Boolean), "-b", "127.0.0.1:1", "--timeout", "1000"]);
    const words = ["list", "reset"].includes(args[1] ?? "") ? args.slice(0, 2) : args.slice(0, 1);
    expect(error).toContain(`typed-kafka ${words.join(" ")}: `);
    expect(error).toContain("127.0.0.1:1");
    expect(error.split("\n")).toHaveLength(1);
    expect(code).toBe(1);
  });

  test.each<[string, readonly string[], Readonly<Record<string, string>>]>([
    [
      "a password",
      ["topics", "--sasl-mechanism", "plain", "--username", "u"],
      { KAFKA_SASL_PASSWORD: "s3cret" },
    ],
    ["a password that is an option", ["topics", "--password=s3cret"], {}],
    ["a password behind an option", ["topics", "--sasl-password", "s3cret"], {}],
    [
      "a password of the environment",
      ["topics"],
      {
        KAFKA_SECURITY_PROTOCOL: "SASL_PLAINTEXT",
        KAFKA_SASL_MECHANISM: "PLAIN",
        KAFKA_SASL_USERNAME: "u",
        KAFKA_SASL_PASSWORD: "s3cret",
      },
    ],
    [
      "a registry's password",
      ["tail", "t", "-r", "http://127.0.0.1:1"],
      { SCHEMA_REGISTRY_USERNAME: "u", SCHEMA_REGISTRY_PASSWORD: "s3cret" },
    ],
    ["a registry's password in its address", ["tail", "t", "-r", "http://u:s3cret@127.0.0.1:1"], {}],
    ["a registry's address that is none", ["tail", "t", "-r", "u:s3cret@nowhere"], {}],
    ["a broker's address with a password", ["topics", "-b", "u:s3cret@127.0.0.1"], {}],
  ])("%s is never printed", async (_, args, environment) => {
    const given = args.includes("-b") ? args : [...args, "-b", "127.0.0.1:1"];
    const { code, out, error } = await call([...given, "--timeout", "500"], environment);
    expect(code).not.toBe(0);
    expect(error).not.toBe("");
    expect(`${out}${error}`).not.toContain("s3cret");
  });

  test("ends at once, with 130, where somebody interrupts it", async () => {
    const { code, error } = await call(
      ["topics", "-b", "127.0.0.1:1"],
      {},
      { signal: AbortSignal.timeout(200) },
    );
    expect(error).toBe("");
    expect(code).toBe(130);
  });
});
