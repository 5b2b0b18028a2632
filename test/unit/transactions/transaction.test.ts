import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { ClosedError, ConfigError, isMisuse } from "../../../src/errors.js";
import type { EncodedRecord } from "../../../src/record.js";
import { bytes } from "../../../src/serde/bytes.js";
import { Encoders } from "../../../src/serde/encoders.js";
import { TransactionSends } from "../../../src/transactions/transaction.js";
import type { Serde } from "../../../src/serde/serde.js";
import { defineTopic } from "../../../src/topic.js";
import { deferred } from "../../../src/waiting.js";

test("what is still being serialized when a transaction is rolled back is dropped", async () => {
  const gate = deferred();
  const slow: Serde<string> = {
    serialize: async (text) => {
      await gate.promise;
      return Buffer.from(text);
    },
    deserialize: String,
  };
  const topic = defineTopic("slow", { value: slow });
  const passed: unknown[] = [];
  const tx = new TransactionSends(new Encoders(), (_, { value }) => {
    passed.push(value);
    return undefined;
  });
  const sends = [tx.send(topic, { value: "one" }), tx.send(topic, [{ value: "a" }, { value: "b" }])];
  const outcomes = Promise.allSettled(sends);
  tx.end();
  gate.resolve();
  for (const outcome of await outcomes)
    expect(outcome).toMatchObject({ status: "rejected", reason: expect.any(ClosedError) as unknown });
  expect(passed).toEqual([]);
});

test("a send that is wrong whatever the record is, is marked so, that no policy moves records away for it", async () => {
  const topic = defineTopic("t", { value: bytes() });
  const record = { value: Buffer.from("a") };
  const refusal = (sending: Promise<void>): Promise<unknown> => sending.catch((error: unknown) => error);
  const tx = new TransactionSends(new Encoders(), () => undefined);
  const noTopic = await refusal(tx.send("t" as never, record as never));
  const options = await refusal((tx.send as (...args: unknown[]) => Promise<void>)(topic, record, {}));
  const finished = new TransactionSends(new Encoders(), () => undefined);
  await finished.finish();
  const late = await refusal(finished.send(topic, record));
  const rolledBack = new TransactionSends(new Encoders(), () => undefined);
  rolledBack.end(new Error("a rebalance"));
  const dropped = await refusal(rolledBack.send(topic, record));
  expect([noTopic, options]).toEqual([expect.any(ConfigError), expect.any(ConfigError)]);
  expect([late, dropped]).toEqual([expect.any(ClosedError), expect.any(ClosedError)]);
  expect([noTopic, options, late, dropped].map(isMisuse)).toEqual([true, true, true, false]);
});

test("what is passed on has bytes of its own: the caller may use a buffer again", async () => {
  const topic = defineTopic("t", { value: bytes() });
  const passed: EncodedRecord[] = [];
  const tx = new TransactionSends(new Encoders(), (_, record) => {
    passed.push(record);
    return undefined;
  });
  const buffer = Buffer.from("one");
  await tx.send(topic, { value: buffer, headers: { h: buffer } });
  buffer.write("two");
  await tx.send(topic, [{ value: buffer }]);
  buffer.write("six");
  expect(passed.map(({ value, headers }) => [String(value), headers?.map(({ h }) => String(h))])).toEqual([
    ["one", ["one"]],
    ["two", undefined],
  ]);
});

test("an array of which one record is refused at once leaves no rejection of another behind that nobody handles", async () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => {
    unhandled.push(reason);
  };
  process.on("unhandledRejection", note);
  const gate = deferred();
  const refusing: Serde<string> = {
    serialize: async () => {
      await gate.promise;
      throw new Error("the registry says no");
    },
    deserialize: String,
  };
  const topic = defineTopic("t", { value: refusing });
  const tx = new TransactionSends(new Encoders(), () => undefined);
  await expect(tx.send(topic, [{ value: "a" }, { value: "b", partition: -1 }])).rejects.toMatchObject({
    name: "SerializationError",
    part: "partition",
    index: 1,
  });
  gate.resolve();
  // Node tells of a rejection in the turn after it.
  await nextTurn();
  await nextTurn();
  process.off("unhandledRejection", note);
  expect(unhandled).toEqual([]);
});

test("options of a send, which a transaction has none of, make it fail instead of being ignored", async () => {
  const topic = defineTopic("t", { value: bytes() });
  const tx = new TransactionSends(new Encoders(), () => undefined);
  const send = tx.send as (...given: readonly unknown[]) => Promise<void>;
  await expect(send(topic, { value: Buffer.of(1) }, { timeoutMs: 1 })).rejects.toThrow("takes no options");
  expect(() => tx.finish()).toThrow("takes no options");
});
