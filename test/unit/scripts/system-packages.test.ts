import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const script = fileURLToPath(new URL("../../../scripts/system-packages.mjs", import.meta.url));

/** The only folder in which commands are found. */
let bin: string;
let log: string;

beforeEach(() => {
  bin = mkdtempSync(join(tmpdir(), "typed-kafka-bin-"));
  log = join(bin, "log");
});

afterEach(() => rmSync(bin, { recursive: true, force: true }));

function command(name: string, lines: string): void {
  writeFileSync(join(bin, name), `#!/bin/sh\n${lines}\n`);
  chmodSync(join(bin, name), 0o755);
}

function aptGetThat(installs: string): void {
  command(
    "apt-cache",
    'case "$2" in openjdk-17*) echo "  Candidate: (none)";; *) echo "  Candidate: 1";; esac',
  );
  command("apt-get", `echo "$@" >> ${log}; case "$*" in *" install "*) ${installs};; esac`);
}

/** `sudo` that asks for no password. It is not called where the tests run as root. */
const passwordlessSudo = 'shift; while :; do case "$1" in *=*) shift;; *) exec "$@";; esac; done';

const run = (...args: string[]) =>
  spawnSync(process.execPath, [script, ...args], { env: { PATH: bin }, encoding: "utf8" });

/** What an apt-get runs that installs this command. */
function installing(name: string, lines: string): string {
  command(`${name}.packed`, lines);
  return `/bin/mv ${join(bin, name)}.packed ${join(bin, name)}`;
}

describe("system packages", () => {
  test("nothing is installed where everything is there", () => {
    command("mvn", "exit 0");
    command("apt-get", `echo "$@" >> ${log}`);
    const { status, stdout } = run("mvn");
    expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
    expect(existsSync(log) ? readFileSync(log, "utf8") : "").not.toContain("install");
  });

  test("what is missing is installed with lists that were fetched before, and told", () => {
    command("sudo", passwordlessSudo);
    aptGetThat(installing("mvn", "exit 0"));
    const { status, stdout } = run("mvn");
    expect({ status, stdout }).toEqual({ status: 0, stdout: "setup: installing system packages: maven\n" });
    const calls = readFileSync(log, "utf8").trim().split("\n");
    expect(calls.slice(-2)).toEqual([
      expect.stringMatching(/ update$/),
      expect.stringMatching(/ install -y --no-install-recommends maven$/),
    ]);
  });

  test("a Java that is too old is missing, and the package that the system has is taken", () => {
    command("sudo", passwordlessSudo);
    command("java", `echo 'openjdk version "11.0.2"' >&2`);
    aptGetThat(installing("java", `echo 'openjdk version "21.0.1"' >&2`));
    const { status, stdout, stderr } = run("java");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toBe("setup: installing system packages: openjdk-21-jre-headless\n");
  });

  test("the one command is named where there is no apt-get", () => {
    const { status, stderr } = run("mvn", "java");
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /mvn, java not found.*\n\n {2}(sudo )?apt-get update && (sudo )?apt-get install -y maven openjdk-17-jre-headless\n/,
    );
  });

  test("the one command fetches no lists that are there, and names what the system has", () => {
    aptGetThat("exit 0");
    expect(run("--command", "mvn", "java").stdout).toMatch(
      /^(sudo )?apt-get install -y maven openjdk-21-jre-headless\n$/,
    );
  });

  test("the one command is named where sudo asks for a password", () => {
    command("sudo", "exit 1");
    aptGetThat("exit 0");
    const { status, stderr } = run("mvn");
    expect(status).toBe(1);
    expect(stderr).toContain("apt-get install -y maven");
  });

  test("what apt-get printed is shown where it fails", () => {
    command("sudo", passwordlessSudo);
    aptGetThat("echo Unable to locate package; exit 100");
    const { status, stderr } = run("mvn");
    expect(status).toBe(1);
    expect(stderr).toContain("Unable to locate package");
    expect(stderr).toContain("apt-get install -y maven");
  });
});
