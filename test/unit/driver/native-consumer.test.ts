// When a native client answers is chosen here: it is played.
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { NativeConsumer } from "../../../src/driver/native-consumer.js";
import { nativeCodes } from "../../../src/driver/native-errors.js";
import { resolveKafkaOptions } from "../../../src/kafka-options.js";
import { deferred, settlesWithin } from "../../../src/waiting.js";
import { type Callback, PlayedAddon } from "../producer/played-addon.js";
import { silent } from "../../support/silent.js";

/** Resolves when the first fetch is asked for, to what answers it. */
const asked = deferred<() => void>();

class Played extends PlayedAddon<object> {
  consume(...[, , , callback]: [number, number, boolean, Callback]): void {
    asked.resolve(() => {
      callback(null, []);
    });
  }
  override getMetadata({ topic, timeout }: { topic?: string; timeout: number }, callback: Callback): void {
    if (topic !== undefined) waited.push(timeout);
    const error = topic === undefined ? undefined : errors.shift();
    void asked.promise.then(() => {
      if (error !== undefined) callback(error);
      else callback(null, { brokers: [{ id: 1 }], topics: [{ name: "t", partitions: [{ id: 0 }] }] });
    });
  }
}

/** What the next questions about a topic are answered with, and how long each would have waited. */
let errors: { code: number; message: string }[] = [];
let waited: number[] = [];
const timedOut = { code: nativeCodes.timedOut, message: "timed out" };
const noBroker = { code: -195, message: "no broker is there" };

vi.mock("../../../src/driver/binding.js", () => ({
  loadBinding: () => ({ KafkaConsumer: Played, err2str: (code: number) => `error ${code}` }),
}));
vi.mock("../../../src/driver/fast/addon.js", () => ({ fastPath: () => ({ reason: "played" }) }));

const config = resolveKafkaOptions({ brokers: "nowhere:9092", logger: silent });
const nothing = (): void => undefined;
const events = { onWake: nothing, onRebalance: nothing, onCommit: nothing, onFatal: nothing };

test("is connected once no fetch of before is under way: it would take the first record of what is assigned", async () => {
  const consumer = new NativeConsumer(config, "read", { "group.id": "g" }, events);
  const connected = consumer.connect();
  const answer = await asked.promise;
  for (let turn = 0; turn < 10; turn += 1) await nextTurn();
  expect(await settlesWithin(connected, 50)).toBe(false);
  answer();
  await connected;
  await consumer.disconnect();
});

test("a broker that does not tell what it knows is not waited for all the time there is: others are asked", async () => {
  const consumer = new NativeConsumer(config, "read", { "group.id": "g" }, events);
  await consumer.connect();
  errors = [timedOut, noBroker];
  expect(await consumer.partitionsOf("t", 30_000)).toEqual([0]);
  expect(waited).toEqual([2_000, 4_000, 8_000]);
  errors = [timedOut, timedOut];
  waited = [];
  await expect(consumer.partitionsOf("t", 3_000)).rejects.toThrow("metadata of t: timed out");
  // The last one has what is left.
  expect(waited).toHaveLength(2);
  expect(waited[0]).toBe(2_000);
  expect(waited[1]).toBeGreaterThan(2_000);
  expect(waited[1]).toBeLessThanOrEqual(3_000);
  errors = [{ code: 29, message: "not allowed" }];
  await expect(consumer.partitionsOf("t", 30_000)).rejects.toThrow("not allowed");
  await consumer.disconnect();
});
