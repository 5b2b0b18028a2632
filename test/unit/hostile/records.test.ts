import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { formatOf, lineOf } from "../../../src/cli/record-lines.js";
import { printTable } from "../../../src/cli/text.js";
import { InvalidRecordError } from "../../../src/errors.js";
import { deadLetterHeaders, parseDeadLetter } from "../../../src/failure/dead-letter.js";
import { parseRetryRecord, retryHeaders } from "../../../src/failure/retry-record.js";
import { bytes } from "../../../src/serde/bytes.js";
import { createDecoder } from "../../../src/serde/decoder.js";
import { json } from "../../../src/serde/json.js";
import { double, integer, long } from "../../../src/serde/numbers.js";
import { string } from "../../../src/serde/string.js";
import { defineStore } from "../../../src/state/store-definition.js";
import { MemoryPiece } from "../../../src/state/memory-piece.js";
import { parseMetadata } from "../../../src/state/offset-metadata.js";
import { StoreCodec } from "../../../src/state/store-codec.js";
import { defineWindowStore } from "../../../src/state/window-definition.js";
import type { Changes } from "../../../src/state/task-store.js";
import { WindowState } from "../../../src/state/window-state.js";
import { session, tumbling } from "../../../src/state/windows.js";
import { idOf } from "../../../src/state/write.js";
import { defineTopic } from "../../../src/topic.js";
import {
  anyBytes,
  anyHeaders,
  anyJson,
  changed,
  runs,
  valueOrKafkaError,
  watchPrototypes,
} from "../../support/hostile.js";
import { rawRecord } from "../group/records.js";

watchPrototypes();

const value = z.looseObject({ name: z.string().optional() });
const serdes = [
  ["json", json(value)],
  ["json of anything", json(z.json())],
  ["string", string()],
  ["string of a schema", string(z.iso.datetime())],
  ["bytes", bytes()],
  ["integer", integer()],
  ["long", long()],
  ["double", double()],
] as const;

test.each(serdes)(
  "any bytes as key, value and headers are a record or an InvalidRecordError: %s",
  (_, serde) => {
    const topic = defineTopic("students", { value: serde as never, key: serde as never, tombstones: false });
    const typed = defineTopic("students", { value: bytes(), headers: z.object({ trace: z.string() }) });
    return fc.assert(
      fc.asyncProperty(
        fc.option(anyBytes),
        fc.option(anyBytes),
        anyHeaders,
        async (key, given, rawHeaders) => {
          const raw = rawRecord(0, { key, value: given, rawHeaders });
          for (const each of [topic, typed]) {
            const { error, value: record } = await valueOrKafkaError(() => createDecoder(each)(raw));
            if (error !== undefined) expect(error).toBeInstanceOf(InvalidRecordError);
            else
              expect(Object.getPrototypeOf((record as { headers: unknown }).headers)).toBe(Object.prototype);
          }
        },
      ),
      runs(150),
    );
  },
);

test.each([1_000, 200_000])("JSON that is %i levels deep", async (levels) => {
  const deep = [
    `${"[".repeat(levels)}${"]".repeat(levels)}`,
    `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`,
    "[".repeat(levels),
  ];
  const schemas = [
    z.json(),
    z.unknown().refine((given) => given !== 1),
    z.looseObject({}),
    z.array(z.unknown()),
  ];
  for (const schema of schemas)
    for (const text of deep) {
      const topic = defineTopic("students", { value: json(schema as z.ZodJSONSchema) });
      const { error } = await valueOrKafkaError(() =>
        createDecoder(topic)(rawRecord(0, { value: Buffer.from(text) })),
      );
      if (error !== undefined) expect(error).toBeInstanceOf(InvalidRecordError);
    }
});

const expected = { topic: "students", group: "etl", maxDelayMs: 60_000, now: 1_000_000 };
const source = {
  ...expected,
  partition: 1,
  offset: 2,
  timestamp: 3,
  key: null,
  value: Buffer.from("x"),
  headers: [],
};
const letter = deadLetterHeaders(source, {
  reason: "handler",
  error: new Error("no"),
  attempts: 1,
  group: "etl",
  failedAt: 4,
});
const retried = retryHeaders(source, { attempts: 1, dueAt: 5, group: "etl", error: new Error("no") });

test("headers of dead letters that another program wrote are a dead letter, or none", () => {
  fc.assert(
    fc.property(fc.oneof(anyHeaders, changed(letter)), (headers) => {
      const parsed = parseDeadLetter(headers);
      if (parsed === undefined) return;
      const { attempts, sourcePartition, sourceOffset, failedAt, sourceTimestamp, reason } = parsed.info;
      for (const number of [attempts, sourcePartition, sourceOffset, failedAt]) {
        expect(Number.isSafeInteger(number)).toBe(true);
        expect(number).toBeGreaterThanOrEqual(0);
      }
      expect(Number.isNaN(sourceTimestamp)).toBe(false);
      expect(reason).toMatch(/^(handler|invalid)$/);
    }),
    runs(2_000),
  );
});

test("headers of retry topics that another program wrote are a retry within bounds, or say what is wrong", () => {
  fc.assert(
    fc.property(fc.oneof(anyHeaders, changed(retried)), (headers) => {
      const parsed = parseRetryRecord({ ...source, headers }, expected);
      if (typeof parsed === "string") return;
      expect(parsed.source.topic).toBe("students");
      expect(parsed.attempts).toBeGreaterThanOrEqual(1);
      expect(parsed.attempts).toBeLessThanOrEqual(10_000);
      expect(parsed.dueAt).toBeLessThanOrEqual(expected.now + expected.maxDelayMs);
      expect(parsed.source.partition).toBeLessThan(2 ** 31);
      expect(Number.isSafeInteger(parsed.source.offset)).toBe(true);
    }),
    runs(2_000),
  );
});

test("the metadata of an offset that another program committed is a time, or none", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        anyJson.map((given) => JSON.stringify(given)),
        anyJson,
      ),
      (metadata) => {
        expect(Number.isSafeInteger(parseMetadata(metadata).streamTime)).toBe(true);
      },
    ),
    runs(500),
  );
});

test("what is in a changelog is an entry, or an InvalidRecordError that names it", () => {
  const store = defineStore("counts", { key: json(z.object({ id: z.string() })), value: z.number().int() });
  const codec = new StoreCodec(store, "g.counts.changelog", 3);
  return fc.assert(
    fc.asyncProperty(anyBytes, anyBytes, fc.integer(), async (key, given, timestamp) => {
      const entry = { key, value: given, timestamp };
      for (const decode of [() => codec.decodeKey(entry), () => codec.decodeValue(entry)]) {
        const { error } = await valueOrKafkaError(decode);
        if (error === undefined) continue;
        expect(error).toBeInstanceOf(InvalidRecordError);
        expect(error).toMatchObject({ topic: "g.counts.changelog", partition: 3 });
      }
    }),
    runs(500),
  );
});

test.each([
  ["tumbling", tumbling({ sizeMs: 60_000 })],
  ["session", session({ gapMs: 60_000 })],
] as const)(
  "keys in the changelog of windows that no window has are an InvalidRecordError: %s",
  async (_, window) => {
    const definition = defineWindowStore("perMinute", {
      value: z.number(),
      window: window as ReturnType<typeof tumbling>,
      ...(window.type === "session" && { merge: (one: number) => one }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(anyBytes, { minLength: 1, maxLength: 4 }), async (keys) => {
        const piece = new MemoryPiece();
        piece.apply(keys.map((key) => ({ id: idOf(key), key, value: Buffer.from("1"), timestamp: 1 })));
        const changelog = "g.perMinute.changelog";
        const codec = new StoreCodec(definition, changelog, 3);
        const state = new WindowState({ definition, changelog, codec, piece, streamTime: () => 1_000_000 });
        const { error } = await valueOrKafkaError(() => state.restored());
        const isShort = keys.some((key) => key.length < (window.type === "session" ? 16 : 8));
        expect(error === undefined).toBe(!isShort);
        if (error === undefined) {
          const changes: Changes = new Map();
          state.close(changes);
          expect(changes.size).toBeLessThanOrEqual(keys.length);
        } else expect(error).toMatchObject({ code: "INVALID_RECORD", topic: changelog, partition: 3 });
      }),
      runs(300),
    );
  },
);

// What a terminal obeys, or shows as another line, or as other text than it is.
const obeyed = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;

test("the command prints a record of any bytes as one line that no terminal obeys", () =>
  fc.assert(
    fc.asyncProperty(fc.option(anyBytes), fc.option(anyBytes), anyHeaders, async (key, given, rawHeaders) => {
      const record = {
        topic: "students",
        partition: 0,
        offset: 0,
        timestamp: 0,
        headers: {},
        key,
        value: given ?? null,
        rawHeaders,
      };
      const line = await lineOf(record, undefined);
      expect(formatOf({ isColoured: false })(line)).not.toMatch(obeyed);
      const text = formatOf({ isColoured: false, json: true })(line);
      expect(text).not.toMatch(obeyed);
      expect(() => JSON.parse(text) as unknown).not.toThrow();
    }),
    runs(300),
  ));

test("the command prints tables whose cells no terminal obeys", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "binary" }), { minLength: 2, maxLength: 2 }), (row) => {
      const lines: string[] = [];
      const out = (line: string): void => void lines.push(line);
      printTable({ out, isColoured: false }, ["one", "two"], [row]);
      expect(lines).toHaveLength(2);
      for (const line of lines) expect(line).not.toMatch(obeyed);
    }),
    runs(500),
  );
});
