// The native client is played by the test: what is tested is who may call a transaction, and for how long.
import { AsyncResource } from "node:async_hooks";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { NativeError } from "../../../src/driver/native.js";
import { ClosedError, ConfigError, TimeoutError, TransactionAbortedError } from "../../../src/errors.js";
import { resolveKafkaOptions } from "../../../src/kafka-options.js";
import { string } from "../../../src/serde/string.js";
import { defineTopic } from "../../../src/topic.js";
import type { Transaction } from "../../../src/transactions/transaction.js";
import { TransactionalProducer } from "../../../src/transactions/transactional-producer.js";
import { deferred } from "../../../src/waiting.js";
import { type Callback, PlayedAddon } from "../producer/played-addon.js";
import { silent } from "../../support/silent.js";

/** What the native client was told, in order. */
const steps: string[] = [];

class Addon extends PlayedAddon<object> {
  initTransactions(_timeoutMs: number, callback: Callback<NativeError>): void {
    setImmediate(callback, null);
  }
  beginTransaction = answer("begin");
  commitTransaction = (_timeoutMs: number, callback: Callback<NativeError>): void => {
    answer("commit")(callback);
  };
  abortTransaction = (_timeoutMs: number, callback: Callback<NativeError>): void => {
    answer("abort")(callback);
  };
  produce(_topic: string, _partition: unknown, value: Buffer): number {
    steps.push(`send ${String(value)}`);
    return 0;
  }
}

function answer(step: string): (callback: Callback<NativeError>) => void {
  return (callback) => {
    steps.push(step);
    setImmediate(callback, null);
  };
}

vi.mock("../../../src/driver/binding.js", () => ({
  loadBinding: () => ({ Producer: Addon, err2str: (code: number) => `error ${code}` }),
}));

const topic = defineTopic("t", { value: string() });
let producer: TransactionalProducer;

function makeProducer(transactionalId: string, transactionTimeoutMs = 60_000): TransactionalProducer {
  const config = resolveKafkaOptions({ brokers: "nowhere:9092", logger: silent });
  const options = { transactionalId, transactionTimeoutMs, closeTimeoutMs: 0 };
  return new TransactionalProducer(config, options, () => {});
}

beforeEach(() => {
  steps.length = 0;
  producer = makeProducer("t");
});
afterEach(() => producer.close());

describe("a transaction inside a transaction of the same producer", () => {
  const inner = (): Promise<void> => producer.transaction((tx) => tx.send(topic, { value: "inner" }));

  test("is refused at once, and the outer one goes on", async () => {
    await producer.transaction(async (tx) => {
      await expect(inner()).rejects.toBeInstanceOf(ConfigError);
      await tx.send(topic, { value: "outer" });
    });
    expect(steps).toEqual(["begin", "send outer", "commit"]);
  });

  test("is refused through whatever the callback awaited, and through a transaction of another producer", async () => {
    const other = makeProducer("other");
    await producer.transaction(async () => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      await Promise.all([
        Promise.resolve().then(() => expect(inner()).rejects.toBeInstanceOf(ConfigError)),
        other.transaction(() => expect(inner()).rejects.toBeInstanceOf(ConfigError)),
      ]);
    });
    await other.close();
  });

  test("fails the outer one where nobody catches it", async () => {
    await expect(producer.transaction(inner)).rejects.toBeInstanceOf(ConfigError);
    expect(steps).toEqual(["begin", "abort"]);
  });

  test("waits for its turn where it is begun by other code at the same time", async () => {
    const gate = deferred();
    // As a server's handlers are: each in an async context of its own.
    const request = new AsyncResource("request");
    const outer = producer.transaction(async (tx) => {
      await gate.promise;
      await tx.send(topic, { value: "outer" });
    });
    const concurrent = request.runInAsyncScope(inner);
    gate.resolve();
    await Promise.all([outer, concurrent]);
    expect(steps).toEqual(["begin", "send outer", "commit", "begin", "send inner", "commit"]);
  });

  test("is taken from code that a callback started and left behind, once that callback has ended", async () => {
    const gate = deferred();
    let later: Promise<void> | undefined;
    await producer.transaction(() => {
      later = gate.promise.then(inner);
    });
    gate.resolve();
    await later;
    expect(steps).toEqual(["begin", "commit", "begin", "send inner", "commit"]);
  });
});

describe("a callback that takes longer than transactionTimeoutMs", () => {
  const transactionTimeoutMs = 1_000;
  beforeEach(() => {
    producer = makeProducer("t", transactionTimeoutMs);
  });

  test("has its transaction rolled back with an error that says so, its signal aborted, and its sends refused", async () => {
    const gate = deferred();
    let left: Transaction | undefined;
    let signal: AbortSignal | undefined;
    const began = performance.now();
    const error: unknown = await producer
      .transaction(async (tx, context) => {
        left = tx;
        ({ signal } = context);
        await tx.send(topic, { value: "before" });
        await gate.promise;
      })
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(TransactionAbortedError);
    expect(error).toMatchObject({ retriable: true, cause: expect.any(TimeoutError) as unknown });
    expect(String(error)).toContain("transactionTimeoutMs (1000 ms)");
    expect(performance.now() - began).toBeGreaterThanOrEqual(transactionTimeoutMs - 5);
    expect(steps).toEqual(["begin", "send before", "abort"]);
    expect(signal?.aborted).toBe(true);
    const refused: unknown = await left?.send(topic, { value: "after" }).catch((reason: unknown) => reason);
    expect(refused).toBeInstanceOf(ClosedError);
    expect(String(refused)).toContain("took longer than transactionTimeoutMs");
    gate.resolve();
    await producer.transaction((tx) => tx.send(topic, { value: "next" }));
    expect(steps.slice(3)).toEqual(["begin", "send next", "commit"]);
  });

  test("is the same where a send of it never ends", async () => {
    const stuck = { serialize: () => new Promise<Buffer>(() => {}), deserialize: String };
    const slow = defineTopic("slow", { value: stuck });
    const sending = producer.transaction((tx) => void tx.send(slow, { value: "x" }));
    await expect(sending).rejects.toBeInstanceOf(TransactionAbortedError);
    expect(steps).toEqual(["begin", "abort"]);
  });
});

test("close inside a callback ends it after closeTimeoutMs: nothing waits for itself", async () => {
  let signal: AbortSignal | undefined;
  const closing = producer.transaction(async (_, context) => {
    ({ signal } = context);
    await producer.close();
  });
  await expect(closing).rejects.toBeInstanceOf(ClosedError);
  expect(signal?.aborted).toBe(true);
  expect(steps).toEqual(["begin", "abort"]);
});
