import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { avro } from "../../../src/schema-registry/avro.js";
import { schemaRegistry } from "../../../src/schema-registry/registry.js";
import type { Serde } from "../../../src/serde/serde.js";
import { startFakeRegistry } from "../../support/fake-registry.js";
import { value } from "./context.js";

const fake = await startFakeRegistry();
afterAll(() => fake[Symbol.asyncDispose]());

const node = {
  type: "record",
  name: "Node",
  fields: [
    { name: "label", type: "string" },
    { name: "children", type: { type: "array", items: "Node" } },
  ],
};
const nothing = { type: "record", name: "Nothing", fields: [] };
const parts = {
  longs: { type: "array", items: "long" },
  texts: { type: "array", items: "string" },
  counts: { type: "map", values: "int" },
  nulls: { type: "array", items: "null" },
  nothings: { type: "array", items: { type: "array", items: nothing } },
  tree: node,
  bytes: "bytes",
  text: "string",
  many: { type: "array", items: { type: "map", values: { type: "array", items: ["null", "double"] } } },
} as const;

interface Path {
  readonly name: string;
  readonly serde: Serde<unknown>;
  readonly header: Buffer;
}

let subjects = 0;

/** A serde that reads what its own Avro schema wrote, and one that resolves what another one wrote. */
async function pathsOf(part: keyof typeof parts): Promise<readonly Path[]> {
  const registry = schemaRegistry({ url: fake.url });
  const paths: Path[] = [];
  for (const name of ["own", "resolving"]) {
    const of = (fields: readonly object[]) => ({ type: "record", name: "Whole", fields });
    const own = of([{ name: "part", type: parts[part] }]);
    // In front, so that it is not of the same layout.
    const added = { name: "added", type: "null", default: null };
    const reader = name === "own" ? own : of([{ name: "part", type: parts[part] }, added]);
    const id = fake.register(`corrupt-${(subjects += 1)}`, own);
    const header = Buffer.alloc(5);
    header.writeInt32BE(id, 1);
    const serde: Serde<unknown> = avro(registry, reader, z.unknown());
    // The schema is fetched with the first record, whatever becomes of that.
    await Promise.resolve(serde.deserialize(header, value)).catch(() => undefined);
    paths.push({ name, serde, header });
  }
  return paths;
}

/** As Avro writes a `long`. */
function long(given: bigint): Buffer {
  let zigzag = BigInt.asUintN(64, (given << 1n) ^ (given >> 63n));
  const bytes: number[] = [];
  for (; zigzag > 0x7fn; zigzag >>= 7n) bytes.push(Number(zigzag & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(zigzag)]);
}

/** Of the processor's time: what others do meanwhile does not count. */
const maxMs = 1_500;
const maxBytes = 64_000_000;

/** Reads, and fails if that takes much time or memory. Gives the error, or `undefined` where it could be read. */
function read({ serde, header }: Path, payload: Buffer): unknown {
  const start = process.cpuUsage();
  const before = process.memoryUsage();
  let error: unknown;
  try {
    expect(serde.deserialize(Buffer.concat([header, payload]), value)).not.toBeInstanceOf(Promise);
  } catch (thrown) {
    error = thrown;
  }
  const after = process.memoryUsage();
  const { user, system } = process.cpuUsage(start);
  expect((user + system) / 1_000).toBeLessThan(maxMs);
  expect(after.heapUsed + after.external - before.heapUsed - before.external).toBeLessThan(maxBytes);
  return error;
}

const counts = [
  2n ** 20n,
  2n ** 27n,
  2n ** 31n - 1n,
  2n ** 32n,
  2n ** 40n,
  2n ** 53n,
  2n ** 63n - 1n,
  -(2n ** 20n),
  -(2n ** 31n),
  -(2n ** 40n),
  -(2n ** 63n),
];

describe.each(Object.keys(parts) as (keyof typeof parts)[])(
  "corrupt bytes of %s are refused at once",
  (part) => {
    test("counts and lengths that the bytes cannot have", async () => {
      for (const path of await pathsOf(part))
        for (const count of counts) {
          const size = count < 0n ? long(4n) : Buffer.alloc(0);
          for (const rest of [Buffer.alloc(0), Buffer.from([2, 2, 2, 2, 0]), Buffer.alloc(64)]) {
            const label = part === "tree" ? Buffer.from([0]) : Buffer.alloc(0);
            const payload = Buffer.concat([label, long(count), size, rest]);
            const error = read(path, payload);
            // A million nulls have no bytes, and may be.
            if (!(part.startsWith("no") || part === "nulls"))
              expect(error, `${path.name} ${count}`).toBeInstanceOf(Error);
            else if (count > 2n ** 21n) expect(error, `${path.name} ${count}`).toBeInstanceOf(Error);
          }
        }
    });

    test("counts behind counts, and numbers without end", async () => {
      const many = Buffer.concat(Array.from({ length: 20_000 }, () => long(90_000n)));
      const endless = Buffer.alloc(200_000, 0xff);
      for (const path of await pathsOf(part)) {
        expect(read(path, many), path.name).toBeInstanceOf(Error);
        expect(read(path, endless), path.name).toBeInstanceOf(Error);
        expect(read(path, Buffer.concat([Buffer.from([2]), endless])), path.name).toBeInstanceOf(Error);
      }
    });

    test("any bytes", async () => {
      const bytes = fc.oneof(
        fc.uint8Array({ maxLength: 200, size: "max" }),
        fc
          .array(fc.oneof(fc.bigInt(-300n, 300n), fc.constantFrom(...counts)), { maxLength: 40, size: "max" })
          .map((all) => Buffer.concat(all.map(long))),
      );
      for (const path of await pathsOf(part))
        fc.assert(
          fc.property(bytes, (payload) => {
            read(path, Buffer.from(payload));
          }),
          { numRuns: 200 },
        );
    });
  },
);

test("bytes whose length is no number leave those of later records as they are", async () => {
  const registry = schemaRegistry({ url: fake.url });
  const bytes = { type: "bytes" };
  const decimal = { ...bytes, logicalType: "decimal" };
  const types = [bytes, { ...decimal, precision: 4, scale: 2 }, { ...decimal, precision: 1, scale: 2 }];
  for (const schema of types) {
    const serde: Serde<unknown> = avro(registry, JSON.stringify(schema), z.unknown());
    const written = Buffer.from([0, 0, 0, 0, fake.register("bytes", schema), 4, 1, 0]);
    const before = await serde.deserialize(written, value);
    const endless = Buffer.concat([written.subarray(0, 5), Buffer.alloc(200, 0xff)]);
    expect(() => serde.deserialize(endless, value)).toThrow("the bytes are cut off");
    expect(serde.deserialize(written, value)).toEqual(before);
    expect(serde.deserialize(written, value)).toEqual(before);
  }
});
