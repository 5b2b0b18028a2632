import { spawn } from "node:child_process";
import { once } from "node:events";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ClassicLevel } from "classic-level";
import fc from "fast-check";
import { expect, onTestFinished, test, vi } from "vitest";
import { MemoryPiece } from "../../../src/state/memory-piece.js";
import type { Piece } from "../../../src/state/piece.js";
import { doubtOf } from "../../../src/state/restorer.js";
import { StateDirectory } from "../../../src/state/state-directory.js";
import { idOf, type Write } from "../../../src/state/write.js";
import { changelogRecord } from "../../support/changelog-record.js";
import { programArguments } from "../../support/program-arguments.js";
import { silent } from "../../support/silent.js";

async function newPath(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "typed-kafka-state-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

async function opened(path: string, id = "id-1", groupId = "group"): Promise<StateDirectory> {
  const directory = await StateDirectory.open(path, groupId, silent);
  await directory.belongsTo(new Map([["store", id]]));
  return directory;
}

function write(id: string, value: Buffer | null, timestamp = 0): Write {
  return { id, key: Buffer.from(id, "latin1"), value, timestamp };
}

/** All that can be seen of a piece, in an order of its own. */
function seen(piece: Piece): unknown {
  const entries = [...piece.entries()].map(({ key, value, timestamp }) => {
    const id = idOf(key);
    expect(piece.has(id)).toBe(true);
    expect(piece.get(id)?.value.equals(value)).toBe(true);
    return [id, value.toString("hex"), timestamp];
  });
  expect(entries).toHaveLength(piece.size);
  for (let key = 0; key <= 12; key += 1)
    expect(piece.has(String(key))).toBe(entries.some(([id]) => id === String(key)));
  return { entries: entries.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)), position: piece.position };
}

async function scanned(piece: Piece): Promise<unknown> {
  const keys: unknown[] = [];
  await piece.scan((key, timestamp) => keys.push([idOf(key), timestamp]));
  return keys.sort();
}

const writes = fc.array(
  fc
    .tuple(
      fc.oneof(
        fc.integer({ min: 0, max: 12 }).map(String),
        fc.uint8Array({ maxLength: 6, size: "max" }).map((bytes) => idOf(Buffer.from(bytes))),
      ),
      fc.option(fc.uint8Array({ maxLength: 20, size: "max" }), { freq: 2 }),
      fc.nat(),
    )
    .map(([id, value, timestamp]) => write(id, value && Buffer.from(value), timestamp)),
  { maxLength: 12, size: "max" },
);

test("a piece on disk is what a piece in memory is, whatever is written, before and after restarts", async () => {
  const step = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        type: fc.constant("apply" as const),
        writes,
        wait: fc.constantFrom("none", "turn", "all"),
      }),
    },
    {
      weight: 8,
      arbitrary: fc.record({
        type: fc.constant("restore" as const),
        writes,
        inBlock: fc.boolean(),
        deletes: fc.boolean(),
      }),
    },
    { weight: 2, arbitrary: fc.constant({ type: "restart" as const }) },
    { weight: 1, arbitrary: fc.constant({ type: "clear" as const }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25, size: "max" }), async (steps) => {
      const path = await mkdtemp(join(tmpdir(), "typed-kafka-state-"));
      let directory = await opened(path);
      try {
        let disk = directory.piece("store", 0);
        // Its names begin alike.
        const other = directory.piece("store", 1);
        await other.apply([write("other", Buffer.from("untouched"))], { position: 7, currentAt: 1 });
        const memory = new MemoryPiece();
        /** What may be seen while changes are applied: all of them are, from some moment on, or none. */
        let possible = [seen(memory)];
        for (const [index, each] of steps.entries()) {
          if (each.type === "apply") {
            const applying = disk.apply(each.writes, { position: index, currentAt: 1 });
            memory.apply(each.writes, { position: index, currentAt: 1 });
            if (each.wait === "all") await applying;
            else if (each.wait === "turn") await new Promise(setImmediate);
            if (each.wait === "all") possible = [];
          } else if (each.type === "restore") {
            const records = each.writes
              .filter(({ value }) => each.deletes || value !== null)
              .map((one) => changelogRecord(one, each.inBlock));
            await disk.restore(records, { position: index, currentAt: 1 });
            memory.restore(records, { position: index, currentAt: 1 });
          } else if (each.type === "clear") {
            await disk.clear();
            memory.clear();
          } else {
            await directory.close();
            directory = await opened(path);
            disk = directory.piece("store", 0);
          }
          if (each.type !== "apply") possible = [];
          possible.push(seen(memory));
          expect(possible).toContainEqual(seen(disk));
        }
        await disk.apply([]);
        expect(seen(disk)).toEqual(seen(memory));
        expect(await scanned(disk)).toEqual(await scanned(memory));
        expect(seen(directory.piece("store", 1))).toMatchObject({ position: 7, entries: [["other", {}, 0]] });
      } finally {
        await directory.close();
        await rm(path, { recursive: true, force: true });
      }
    }),
    { numRuns: 40 },
  );
}, 120_000);

test("what is restored again is the same entry, whatever came before it", async () => {
  const directory = await opened(await newPath());
  onTestFinished(() => directory.close());
  const piece = directory.piece("store", 0);
  const restore = (...entries: readonly (readonly [id: string, value: string | null])[]): Promise<void> =>
    piece.restore(
      entries.map(([id, value]) =>
        changelogRecord(write(id, value === null ? null : Buffer.from(value)), true),
      ),
      { position: 1, currentAt: 1 },
    );
  await restore(["a", "1"], ["b", "1"], ["b", "2"]);
  await restore(["c", "1"], ["nothing", null]);
  await restore(["c", "2"]);
  await piece.apply([write("d", Buffer.from("1"))]);
  await restore(["a", "2"], ["d", "2"]);
  const entries = [...piece.entries()].map(({ key, value }) => `${String(key)}${String(value)}`);
  expect(entries).toEqual(["a2", "b2", "c2", "d2"]);
});

test("entries() gives what was there at its beginning, whatever is written and lands on disk meanwhile", async () => {
  const directory = await opened(await newPath());
  onTestFinished(() => directory.close());
  const piece = directory.piece("store", 0);
  await piece.apply(Array.from({ length: 50 }, (_, index) => write(`k${index}`, Buffer.from("old"))));
  const found: string[] = [];
  for (const { key, value } of piece.entries()) {
    found.push(`${key.toString()}=${value.toString()}`);
    await piece.apply([
      write(`k${49 - found.length}`, null),
      write(`n${found.length}`, Buffer.from("new")),
      write("k0", Buffer.from("new")),
    ]);
  }
  expect(found.sort()).toEqual(Array.from({ length: 50 }, (_, index) => `k${index}=old`).sort());
});

test("large changes of several pieces let everything else have its turn", async () => {
  const directory = await opened(await newPath());
  onTestFinished(() => directory.close());
  const pieces = Array.from({ length: 4 }, (_, partition) => directory.piece("store", partition));
  let looks = 0;
  // Each look at the clock is 0.1 ms later: a turn of 10 ms has a hundred.
  const clock = vi.spyOn(performance, "now").mockImplementation(() => (looks += 1) / 10);
  onTestFinished(() => clock.mockRestore());
  const writes = Array.from({ length: 500 }, (_, index) => write(`k${index}`, Buffer.from("value")));
  const applying = new AbortController();
  const applied = Promise.all(pieces.map((piece) => piece.apply(writes))).finally(() => {
    applying.abort();
  });
  let longest = 0;
  for (let before = 0; !applying.signal.aborted; before = looks) {
    await new Promise(setImmediate);
    longest = Math.max(longest, looks - before);
  }
  await applied;
  expect(looks).toBeGreaterThan(4 * 2 * 500);
  expect(longest).toBeLessThan(120);
  for (const piece of pieces) expect(piece.size).toBe(500);
});

test("a process that is killed in the middle of writing leaves whole batches, and the position of the last", async () => {
  const path = await newPath();
  const writer = fileURLToPath(new URL("../../support/disk-piece-writer.ts", import.meta.url));
  let reached = 0;
  for (let kill = 0; kill < 8; kill += 1) {
    const child = spawn(process.execPath, programArguments(writer, path), {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    let acknowledged = 0;
    child.on("message", (batch: number) => {
      acknowledged = batch;
    });
    await vi.waitFor(() => expect(acknowledged).toBeGreaterThan(reached + 20 + kill * 7), 60_000);
    child.kill("SIGKILL");
    await once(child, "exit");
    const directory = await opened(path);
    const piece = directory.piece("store", 0);
    // Nothing that was acknowledged is lost. Batch n sets 40 keys to n, and adds and removes others.
    expect(piece.position).toBeGreaterThanOrEqual(acknowledged);
    const values = [...piece.entries()].filter(({ key }) => key.toString().startsWith("all-"));
    expect(values).toHaveLength(40);
    expect(new Set(values.map(({ value }) => value.toString()))).toEqual(new Set([String(piece.position)]));
    expect([...piece.entries()]).toHaveLength(piece.size);
    expect(piece.size).toBe(40 + (piece.position % 10));
    reached = piece.position;
    await directory.close();
  }
}, 120_000);

test("what belongs to another changelog counts for nothing, and neither does a half-cleared piece", async () => {
  const path = await newPath();
  let directory = await opened(path, "id-1");
  await directory.piece("store", 0).apply([write("a", Buffer.from("1"))], { position: 5, currentAt: 1 });
  await directory.close();
  directory = await opened(path, "id-2");
  const piece = directory.piece("store", 0);
  expect(piece).toMatchObject({ size: 0, position: 0 });
  await piece.clear();
  expect(piece.get("a")).toBeUndefined();
  await piece.apply([write("b", Buffer.from("2"))], { position: 3, currentAt: 1 });
  await directory.close();
  directory = await opened(path, "id-2");
  onTestFinished(() => directory.close());
  expect(seen(directory.piece("store", 0))).toEqual({
    entries: [["b", Buffer.from("2").toString("hex"), 0]],
    position: 3,
  });
});

test("a directory in use, of another group, or that is none gets an error that says what to do", async () => {
  const path = await newPath();
  const directory = await opened(path);
  await expect(opened(path)).rejects.toMatchObject({
    name: "ConfigError",
    field: "stateDirectory",
    message: expect.stringContaining(
      "is in use by another processor or process: give each a directory of its own",
    ),
  });
  await directory.close();
  await expect(opened(path, "id-1", "other")).rejects.toMatchObject({
    name: "ConfigError",
    message: expect.stringContaining("has the stores of the group group: give other a directory of its own"),
  });
  // That refusal has let it go.
  await (await opened(path)).close();
  await writeFile(join(path, "file"), "");
  await expect(opened(join(path, "file"))).rejects.toMatchObject({
    name: "ConfigError",
    message: expect.stringContaining("cannot be made"),
  });
});

test("a damaged directory is put aside with a warning, and nothing beside it is touched", async () => {
  const path = await newPath();
  const directory = await opened(path);
  await directory.piece("store", 0).apply([write("a", Buffer.from("1"))], { position: 5, currentAt: 1 });
  await directory.close();
  await writeFile(join(path, "stores", "CURRENT"), "no manifest");
  await mkdir(join(path, "mine"));
  const warnings: string[] = [];
  const again = await StateDirectory.open(path, "group", {
    ...silent,
    warn: (message: string) => warnings.push(message),
  });
  onTestFinished(() => again.close());
  await again.belongsTo(new Map([["store", "id-1"]]));
  expect(again.piece("store", 0)).toMatchObject({ size: 0, position: 0 });
  expect(warnings).toEqual([expect.stringContaining("put aside")]);
  expect((await readdir(path)).sort()).toEqual(["mine", "stores", expect.stringMatching(/^stores-\d+$/)]);
});

test("pieces that have not been in use for ten minutes are removed, and the disk gets their bytes back", async () => {
  const path = await newPath();
  let directory = await opened(path);
  await directory.belongsTo(new Map(["store", "former"].map((store) => [store, "id-1"])));
  const entries = Array.from({ length: 5_000 }, (_, index) => write(`k${index}`, randomBytes(100)));
  for (const [store, partition] of [
    ["store", 1],
    ["store", 10],
    ["former", 1],
    ["store", 0],
  ] as const)
    await directory.piece(store, partition).apply(entries, { position: 5, currentAt: 1 });
  await directory.close();

  directory = await opened(path);
  const before = await bytesIn(path);
  const minutes = (count: number) => count * 60_000;
  const used = new Set(["store/1"]);
  const inUse = (store: string, partition: number) => used.has(`${store}/${partition}`);
  await directory.removeUnused(inUse, minutes(0));
  used.add("store/10");
  await directory.removeUnused(inUse, minutes(9));
  // Its time begins anew.
  used.delete("store/10");
  await directory.removeUnused(inUse, minutes(10));
  await directory.removeUnused(inUse, minutes(19));
  expect(await piecesIn(directory, path)).toEqual(["store/1", "store/10"]);

  directory = await opened(path);
  expect(directory.piece("store", 10)).toMatchObject({ size: 5_000, position: 5 });
  expect(await bytesIn(path)).toBeLessThan(0.7 * before);
  await directory.removeUnused(inUse, minutes(0));
  const removing = directory.removeUnused(inUse, minutes(10));
  // It comes back just then: it is empty, and what is written to it stays.
  await vi.waitFor(() => expect(directory.piece("store", 10).position).toBe(0), 20_000);
  await directory.piece("store", 10).apply([write("a", Buffer.from("1"))], { position: 7, currentAt: 1 });
  await removing;
  expect(seen(directory.piece("store", 10))).toMatchObject({ entries: [["a", "31", 0]], position: 7 });
  expect(directory.piece("store", 1).size).toBe(5_000);
  await directory.close();
}, 60_000);

async function bytesIn(path: string): Promise<number> {
  const files = await readdir(join(path, "stores"));
  const sizes = await Promise.all(files.map(async (file) => (await stat(join(path, "stores", file))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Closes the directory, and says of which pieces something is in it. */
async function piecesIn(directory: StateDirectory, path: string): Promise<readonly string[]> {
  await directory.close();
  const database = new ClassicLevel(join(path, "stores"));
  const names = await database.keys().all();
  await database.close();
  return [...new Set(names.filter((name) => name.includes("/")).map((name) => name.split("/", 2).join("/")))];
}

test.each([0, 1])("a directory of version %i is put aside", async (version) => {
  const path = await newPath();
  const database = new ClassicLevel(join(path, "stores"));
  await database.put("about", JSON.stringify({ version, groupId: "group" }));
  await database.close();
  await (await opened(path)).close();
  expect((await readdir(path)).sort()).toEqual(["stores", expect.stringMatching(/^stores-\d+$/)]);
});

test.each([
  ["is no beginning where nothing was read", { position: 0, currentAt: 0 }, "nothing to read on from"],
  ["is ahead of a log that lost its end", { position: 101, currentAt: 999 }, "has lost its end"],
  ["is current at the end, however old", { position: 100, currentAt: 1 }, undefined],
  ["is behind a log that was truncated", { position: 9, currentAt: 999 }, "begins behind it"],
  ["is older than tombstones are kept", { position: 50, currentAt: 1 }, "older than the changelog keeps"],
  ["is read on from", { position: 50, currentAt: 999 }, undefined],
])("a piece %s", (_, piece, doubt) => {
  const now = piece.currentAt === 1 ? 24 * 3_600_000 + 2 : 1_000;
  const found = doubtOf(piece, { start: 10, end: 100, now });
  if (doubt === undefined) expect(found).toBeUndefined();
  else expect(found).toContain(doubt);
});
