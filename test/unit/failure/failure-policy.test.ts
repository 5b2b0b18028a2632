import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvalidRecordError } from "../../../src/errors.js";
import { parseDeadLetter } from "../../../src/failure/dead-letter.js";
import { FailurePolicy, type Outcome } from "../../../src/failure/failure-policy.js";
import { PermanentError } from "../../../src/failure/handler-errors.js";
import { bounded } from "../../../src/failure/header-block.js";
import { type FailureOptions, resolveFailureOptions } from "../../../src/failure/options.js";
import { bytesOf, type RawHeaders, type RawRecord } from "../../../src/record.js";
import { decodeRawHeaders, rawHeadersOf } from "../../../src/serde/headers.js";

const now = 1_700_000_000_000;

function policyOf(options: FailureOptions): FailurePolicy {
  const resolved = resolveFailureOptions(options, "g", { topics: ["orders"] });
  if (resolved === undefined) throw new Error("no policy");
  return new FailurePolicy(
    resolved,
    () => now,
    () => 0.5,
  );
}

const rawOf = (fields: Partial<RawRecord> = {}): RawRecord => ({
  topic: "orders",
  partition: 3,
  offset: 41,
  timestamp: now - 5_000,
  key: Buffer.from("k"),
  value: Buffer.from("v"),
  size: 1,
  ...fields,
});

function moveOf(outcome: Outcome) {
  if (outcome.action !== "move") throw new Error(`not moved: ${outcome.action}`);
  return outcome.move;
}

/** What a reader gets of a record that was written. */
function readBack(topic: string, { record }: ReturnType<typeof moveOf>): RawRecord {
  return {
    topic,
    partition: record.partition ?? 0,
    offset: 5,
    timestamp: now,
    key: bytesOf(record.key),
    value: bytesOf(record.value),
    size: record.value?.length ?? 0,
    headers: record.headers?.map((header) =>
      Object.fromEntries(Object.entries(header).map(([name, value]) => [name, Buffer.from(value as never)])),
    ),
  };
}

const bytes = fc.uint8Array({ maxLength: 20 }).map((array) => Buffer.from(array));
const headerNames = fc.oneof(
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 }),
  fc.constantFrom(
    "a",
    "__proto__",
    "dead-letter.version",
    "dead-letter.reason",
    "retry.version",
    "retry.due-at",
  ),
);
/** None, before 1970, a time in nanoseconds: producers may write what they like. */
const oddTimestamps = [-1, -1_000, 0, 2 ** 53, 1_767_225_600_000_000_000];
const rawRecords = fc
  .record({
    key: fc.option(bytes),
    value: fc.option(bytes),
    headers: fc.array(fc.tuple(headerNames, bytes), { maxLength: 6 }),
    partition: fc.integer({ min: 0, max: 100 }),
    offset: fc.maxSafeNat(),
    timestamp: fc.oneof(fc.constantFrom(...oddTimestamps), fc.nat()),
  })
  .map(({ headers, ...fields }) =>
    rawOf({ ...fields, headers: headers.map(([name, value]) => ({ [name]: value })) }),
  );

/** Headers as pairs of text, so that buffers compare by their bytes. */
const pairs = (headers: RawHeaders) => headers.map(([name, value]) => [name, value?.toString("hex")]);
const originalsOf = (raw: RawRecord) => pairs(rawHeadersOf(raw));

describe("a dead letter", () => {
  test("holds key, value and headers byte for byte, and says what happened", () => {
    const policy = policyOf({ deadLetter: true });
    fc.assert(
      fc.property(rawRecords, fc.string(), (raw, message) => {
        const move = moveOf(policy.onFailure({ raw, error: new Error(message), attempt: 1 }));
        expect(move.topic).toBe("orders.g.dead-letter");
        expect(move.record.key?.toString("hex")).toBe(raw.key?.toString("hex"));
        expect(move.record.value?.toString("hex")).toBe(raw.value?.toString("hex"));
        const written = decodeRawHeaders(readBack(move.topic, move).headers);
        const parsed = parseDeadLetter(written);
        expect(pairs(parsed?.headers ?? [])).toEqual(originalsOf(raw));
        expect(pairs(written.slice(0, originalsOf(raw).length))).toEqual(originalsOf(raw));
        expect(parsed?.info).toMatchObject({
          reason: "handler",
          errorName: "Error",
          errorMessage: bounded(message, 2_000),
          attempts: 1,
          sourceTopic: "orders",
          sourcePartition: raw.partition,
          sourceOffset: raw.offset,
          sourceTimestamp: raw.timestamp,
          groupId: "g",
          failedAt: now,
        });
      }),
    );
  });

  test("has the headers of the documentation, in order", () => {
    const error = Object.assign(new RangeError("too far"), { code: "E_FAR" });
    const move = moveOf(policyOf({ deadLetter: true }).onFailure({ raw: rawOf(), error, attempt: 1 }));
    expect(
      move.record.headers?.flatMap((header) => Object.entries(header).map(([n, v]) => [n, String(v)])),
    ).toEqual([
      ["dead-letter.version", "1"],
      ["dead-letter.reason", "handler"],
      ["dead-letter.error-name", "RangeError"],
      ["dead-letter.error-message", "too far"],
      ["dead-letter.error-code", "E_FAR"],
      ["dead-letter.attempts", "1"],
      ["dead-letter.source-topic", "orders"],
      ["dead-letter.source-partition", "3"],
      ["dead-letter.source-offset", "41"],
      ["dead-letter.source-timestamp", String(now - 5_000)],
      ["dead-letter.group", "g"],
      ["dead-letter.failed-at", String(now)],
    ]);
  });

  test("of a tombstone is a tombstone, and of an empty value an empty value", () => {
    const policy = policyOf({ deadLetter: true });
    const of = (value: Buffer | null) =>
      moveOf(policy.onFailure({ raw: rawOf({ value }), error: new Error(), attempt: 1 })).record.value;
    expect(of(null)).toBeNull();
    expect(of(Buffer.alloc(0))).toHaveLength(0);
  });

  test("keeps the records of a partition together", () => {
    const policy = policyOf({ deadLetter: true });
    const partitionOf = (partition: number) =>
      moveOf(policy.onFailure({ raw: rawOf({ partition }), error: new Error(), attempt: 1 })).record
        .partition;
    expect(partitionOf(3)).toBeUndefined();
    policy.learnPartitions("orders.g.dead-letter", 2);
    expect([0, 1, 2, 3].map(partitionOf)).toEqual([0, 1, 0, 1]);
  });

  test("is bounded, whatever was thrown", () => {
    const policy = policyOf({ deadLetter: true });
    const hostile = new Proxy(new Error("x"), {
      get: () => {
        throw new Error("no");
      },
    });
    for (const error of [
      new Error("é".repeat(1_000_000)),
      "text",
      null,
      undefined,
      7n,
      hostile,
      Symbol("s"),
    ]) {
      const { record } = moveOf(policy.onFailure({ raw: rawOf(), error, attempt: 1 }));
      expect(record.size).toBeLessThan(3_000);
    }
  });

  test("of an invalid record says so, with no attempt", () => {
    const policy = policyOf({ deadLetter: true, onInvalid: "dead-letter" });
    const error = new InvalidRecordError("wrong", {
      topic: "orders",
      partition: 3,
      offset: 41,
      part: "value",
      raw: { key: null, value: null, headers: [] },
    });
    const { record } = moveOf(policy.onFailure({ raw: rawOf(), error, attempt: 0 }));
    expect(parseDeadLetter(decodeRawHeaders(record.headers as never))?.info).toMatchObject({
      reason: "invalid",
      attempts: 0,
      errorName: "InvalidRecordError",
      errorCode: "INVALID_RECORD",
    });
  });
});

describe("a record in the retry topics", () => {
  const policy = policyOf({ retryTopics: { delaysMs: [5_000, 60_000] }, deadLetter: true });

  test("is restored as it was, with its partition, offset, timestamp and headers", () => {
    fc.assert(
      fc.property(rawRecords, (raw) => {
        const first = moveOf(policy.onFailure({ raw, error: new Error("1"), attempt: 1 }));
        expect(first.topic).toBe("orders.g.retry-1");
        const again = readBack(first.topic, first);
        expect(policy.callsBefore(again)).toBe(1);
        expect(policy.dueAtOf(again.topic)?.(again)).toBe(now + 5_000);
        const restored = policy.restore(again);
        expect(restored).toMatchObject({
          topic: raw.topic,
          partition: raw.partition,
          offset: raw.offset,
          timestamp: raw.timestamp,
        });
        expect(originalsOf(restored)).toEqual(originalsOf(raw));

        const second = moveOf(policy.onFailure({ raw: again, error: new Error("2"), attempt: 2 }));
        expect(second.topic).toBe("orders.g.retry-2");
        const last = readBack(second.topic, second);
        expect(policy.callsBefore(last)).toBe(2);
        expect(originalsOf(policy.restore(last))).toEqual(originalsOf(raw));

        const dead = moveOf(policy.onFailure({ raw: last, error: new Error("3"), attempt: 3 }));
        expect(dead.topic).toBe("orders.g.dead-letter");
        const letter = parseDeadLetter(decodeRawHeaders(readBack(dead.topic, dead).headers));
        expect(letter?.info).toMatchObject({
          attempts: 3,
          sourceTopic: "orders",
          sourcePartition: raw.partition,
          sourceOffset: raw.offset,
        });
        expect(pairs(letter?.headers ?? [])).toEqual(originalsOf(raw));
      }),
    );
  });

  test.each(oddTimestamps)("may have the timestamp %s, and so may its dead letter", (timestamp) => {
    const first = moveOf(policy.onFailure({ raw: rawOf({ timestamp }), error: new Error("1"), attempt: 1 }));
    const again = readBack(first.topic, first);
    expect(policy.restore(again).timestamp).toBe(timestamp);
    const dead = moveOf(policy.onFailure({ raw: again, error: new PermanentError("2"), attempt: 2 }));
    const letter = parseDeadLetter(decodeRawHeaders(readBack(dead.topic, dead).headers));
    expect(letter?.info.sourceTimestamp).toBe(timestamp);
  });

  test("that others wrote is invalid, and a wait is never longer than a day", () => {
    const good = moveOf(policy.onFailure({ raw: rawOf(), error: new Error(), attempt: 1 }));
    const dueAt = (raw: RawRecord) => policy.dueAtOf(raw.topic)?.(raw);
    const withHeader = (name: string, value: string): RawRecord => {
      const raw = readBack(good.topic, good);
      return {
        ...raw,
        headers: raw.headers?.map((header) => (name in header ? { [name]: Buffer.from(value) } : header)),
      };
    };
    for (const [name, value] of [
      ["retry.version", "2"],
      ["retry.group", "another"],
      ["retry.source-topic", "payments"],
      ["retry.source-partition", "-1"],
      ["retry.source-partition", "4294967296"],
      ["retry.source-offset", "1e9"],
      ["retry.source-offset", "99999999999999999999"],
      ["retry.source-timestamp", "yesterday"],
      ["retry.source-timestamp", "1e3"],
      ["retry.attempts", "0"],
      ["retry.attempts", "1000000"],
      ["retry.due-at", ""],
    ] as const)
      expect(() => policy.restore(withHeader(name, value)), `${name} ${value}`).toThrow(InvalidRecordError);
    expect(() => policy.restore({ ...rawOf(), topic: "orders.g.retry-1" })).toThrow(InvalidRecordError);
    expect(dueAt(withHeader("retry.due-at", "9000000000000000"))).toBe(now + 86_400_000);
    expect(dueAt({ ...rawOf(), topic: "orders.g.retry-1" })).toBe(0);
  });

  test("goes to the dead letters of its source where it is invalid and onInvalid says so", () => {
    const strict = policyOf({ retryTopics: { delaysMs: [5] }, deadLetter: true, onInvalid: "dead-letter" });
    const raw = rawOf({ topic: "orders.g.retry-1" });
    let error: unknown;
    try {
      strict.restore(raw);
    } catch (invalid) {
      error = invalid;
    }
    const move = moveOf(strict.onFailure({ raw, error, attempt: 0 }));
    expect(move.topic).toBe("orders.g.dead-letter");
    const parsed = parseDeadLetter(decodeRawHeaders(readBack(move.topic, move).headers));
    expect(parsed?.info.sourceTopic).toBe("orders.g.retry-1");
  });

  test("that no retry can help leaves at once", () => {
    const raw = readBack(
      "orders.g.retry-1",
      moveOf(policy.onFailure({ raw: rawOf(), error: new Error(), attempt: 1 })),
    );
    const move = moveOf(policy.onFailure({ raw, error: new PermanentError("no"), attempt: 2 }));
    expect(move.topic).toBe("orders.g.dead-letter");
  });
});

test("a text is cut between characters", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.integer({ min: 4, max: 40 }), (text, max) => {
      const cut = bounded(text, max);
      expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(max);
      if (!text.includes("\uFFFD")) expect(cut).not.toContain("\uFFFD");
      if (Buffer.byteLength(text) <= max) expect(cut).toBe(text);
    }),
  );
});
