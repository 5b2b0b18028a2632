import { spawnSync } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, onTestFinished, test } from "vitest";

test("where classic-level is not installed, a processor with a stateDirectory is refused and told what to install", async () => {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "typed-kafka-without-")));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await cp("src", join(folder, "src"), { recursive: true });
  await cp("package.json", join(folder, "package.json"));
  await mkdir(join(folder, "node_modules"));
  for (const name of await readdir("node_modules"))
    if (name !== "classic-level")
      await symlink(resolve("node_modules", name), join(folder, "node_modules", name));
  const program = join(folder, "program.mts");
  await writeFile(
    program,
    `import { defineStore, defineTopic, integer, Kafka, string } from "./src/index.js";
     const kafka = new Kafka({ brokers: "localhost:1" });
     const topic = defineTopic("t", { value: string() });
     const options = { groupId: "g", transactionalId: "t", stores: [defineStore("s", { value: integer() })] };
     kafka.processor(topic, options);
     try { kafka.processor(topic, { ...options, stateDirectory: "state" }); }
     catch (error) { console.log(JSON.stringify({ ...error, name: error.name, message: error.message })); }`,
  );
  const { stdout, stderr } = spawnSync(process.execPath, ["--import", "tsx", program], { cwd: folder });
  expect(stderr.toString()).toBe("");
  expect(JSON.parse(stdout.toString())).toMatchObject({
    name: "ConfigError",
    field: "stateDirectory",
    message:
      "stateDirectory: needs the package classic-level, which is not installed: npm install classic-level",
  });
}, 60_000);
