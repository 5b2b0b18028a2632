import { describe, expect, test } from "vitest";
import { HandlerRun, type RunClient, subscriptionsOf } from "../../../src/delivery/handler-run.js";
import { ClosedError, ConfigError } from "../../../src/errors.js";
import { resolveConsumerOptions } from "../../../src/group/options.js";
import { OwnedPartition } from "../../../src/group/owned-partition.js";
import { resolveKafkaOptions } from "../../../src/kafka-options.js";
import type { Logger } from "../../../src/logger.js";
import { deferred } from "../../../src/waiting.js";
import { defineTopic, string, topicPattern } from "../../../src/index.js";
import { silent } from "../../support/silent.js";
import { rawRecords } from "../group/records.js";
import { unboundedSession } from "./host.js";
import { settled } from "../../support/turns.js";

const topic = defineTopic("topic", { value: string() });

/** A run whose client joins nothing; `calls` is what it was asked for, in order. */
function setUp(overrides: Partial<RunClient> = {}, logger: Logger = silent) {
  const calls: string[] = [];
  const partition = new OwnedPartition({ topic: "topic", partition: 0 });
  const config = resolveKafkaOptions({ brokers: "nowhere:9092", logger });
  const run = new HandlerRun(config, resolveConsumerOptions({ groupId: "g" }), {
    kind: "consumer",
    topics: [topic],
    failures: undefined,
    session: () => unboundedSession,
    member: () => ({ partitions: [1, 2, 3], waiting: undefined }),
    prepareFor: (maxRecords) => void calls.push(`prepare for ${maxRecords}`),
    start: () => void calls.push("start"),
    stop: (hasBegun) => {
      calls.push(hasBegun ? "stop" : "stop before it began");
      return Promise.resolve();
    },
    finished: (owned, offset) => {
      owned.finish(offset);
    },
    batchFinished: (parts) => {
      for (const { partition: owned, offsets } of parts) for (const offset of offsets) owned.finish(offset);
    },
    rewind: () => {},
    onClosed: () => void calls.push("closed"),
    ...overrides,
  });
  const feed = (count: number): void => {
    partition.queue.push(rawRecords(count), 0, count);
    run.offer(partition);
  };
  return { run, calls, partition, feed };
}

describe("the run of a client's handlers", () => {
  test("serves records until it is closed, and closes its client once", async () => {
    const { run, calls, partition, feed } = setUp();
    expect(run.health.state).toBe("idle");
    const values: unknown[] = [];
    const running = run.run(({ value }: { value: string }) => void values.push(value));
    feed(3);
    await settled();
    expect(run.health).toMatchObject({ kind: "consumer", name: "g", state: "running", partitions: 3 });
    await Promise.all([run.close(), run.close(), running]);
    expect(values).toEqual(["x", "x", "x"]);
    expect(partition.committable).toBe(3);
    expect(calls).toEqual(["start", "stop", "closed"]);
  });

  test("rejects with what the handler threw, untouched, once the client has stopped", async () => {
    const thrown = new Error("no");
    const { run, calls, partition, feed } = setUp();
    const running = run.run(() => {
      throw thrown;
    });
    feed(1);
    await expect(running).rejects.toBe(thrown);
    expect(run.health).toMatchObject({ state: "failed", error: thrown });
    expect(partition.committable).toBeUndefined();
    expect(calls).toEqual(["start", "stop", "closed"]);
  });

  test("rejects with why its client could not start", async () => {
    const refused = new Error("refused");
    const { run } = setUp({ start: () => Promise.reject(refused) });
    await expect(run.run(() => {})).rejects.toBe(refused);
  });

  test("keeps the first error, and only logs those that come while it closes", async () => {
    const logged: string[] = [];
    const log = (level: string) => (_: string, fields?: object) =>
      void (fields !== undefined && "error" in fields && logged.push(`${level} ${String(fields.error)}`));
    const stopping = deferred();
    const { run } = setUp(
      { stop: () => stopping.promise },
      { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") },
    );
    const running = run.run(() => {});
    const [first, second, closed] = [new Error("first"), new Error("second"), new ClosedError("closed")];
    run.fail(first);
    run.fail(second);
    run.fail(closed);
    stopping.resolve();
    await expect(running).rejects.toBe(first);
    expect(logged.map((line) => line.split("\n")[0])).toEqual([
      "debug Error: first",
      "warn Error: second",
      "debug ClosedError: closed",
    ]);
  });

  test("rejects with what a handler threw while closing waited for it", async () => {
    const handling = deferred();
    const { run, feed } = setUp({ stop: () => handling.promise.then(settled, settled) });
    const running = run.run(() => handling.promise);
    feed(1);
    const closing = run.close();
    const thrown = new Error("too late");
    handling.reject(thrown);
    await closing;
    await expect(running).rejects.toBe(thrown);
  });

  test("is one run: another is refused, and so is one after it was closed", async () => {
    const { run } = setUp();
    const running = run.run(() => {});
    await expect(run.runBatch(() => {}, {})).rejects.toThrow(ConfigError);
    await run.close();
    await running;
    await expect(run.run(() => {})).rejects.toThrow(ClosedError);
  });

  test("closed before it began, it leaves no group", async () => {
    const { run, calls } = setUp();
    await run.close();
    expect(calls).toEqual(["stop before it began", "closed"]);
  });

  test("serves batches, and tells the client how many records it wants at a time", async () => {
    const { run, calls, partition, feed } = setUp();
    const sizes: number[] = [];
    const running = run.runBatch((records: readonly unknown[]) => void sizes.push(records.length), {
      maxRecords: 4,
    });
    feed(6);
    await settled();
    await run.close();
    await running;
    expect(sizes).toEqual([4, 2]);
    expect(partition.committable).toBe(6);
    expect(calls).toEqual(["prepare for 4", "start", "stop", "closed"]);
  });

  test("as an iterator joins at the first step, throws what ended it, and closes when the loop is left", async () => {
    const { run, calls, partition, feed } = setUp();
    const iterator = run.iterate<{ value: string }>();
    expect(calls).toEqual([]);
    const next = iterator.next();
    feed(2);
    expect((await next).value).toMatchObject({ value: "x", offset: 0 });
    expect((await iterator.next()).value).toMatchObject({ offset: 1 });
    expect(partition.committable).toBe(1);
    await iterator.return?.();
    expect(calls).toEqual(["start", "stop", "closed"]);

    const failing = setUp();
    const step = failing.run.iterate().next();
    const error = new Error("no");
    failing.run.fail(error);
    await expect(step).rejects.toBe(error);
  });
});

describe("what to subscribe to", () => {
  test("is the names of topics and the expressions of patterns", () => {
    expect(subscriptionsOf([topic, topicPattern(/^eu-/, { value: string() })])).toEqual([
      "topic",
      "^(eu-).*$",
    ]);
  });

  test("is refused where a topic is named twice or none is", () => {
    expect(() => subscriptionsOf([topic, topic])).toThrow("named twice");
    expect(() => subscriptionsOf([])).toThrow("expected a topic");
  });
});
