// When a native client answers is chosen here: it is played.
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { NativeConsumer } from "../../../src/driver/native-consumer.js";
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
  override getMetadata(_options: unknown, callback: Callback): void {
    void asked.promise.then(() => {
      callback(null, { brokers: [{ id: 1 }], topics: [] });
    });
  }
}

vi.mock("../../../src/driver/binding.js", () => ({
  loadBinding: () => ({ KafkaConsumer: Played, err2str: (code: number) => `error ${code}` }),
}));
vi.mock("../../../src/driver/fast/addon.js", () => ({ fastPath: () => ({ reason: "played" }) }));

test("is connected once no fetch of before is under way: it would take the first record of what is assigned", async () => {
  const config = resolveKafkaOptions({ brokers: "nowhere:9092", logger: silent });
  const nothing = (): void => undefined;
  const events = { onWake: nothing, onRebalance: nothing, onCommit: nothing, onFatal: nothing };
  const consumer = new NativeConsumer(config, "read", { "group.id": "g" }, events);
  const connected = consumer.connect();
  const answer = await asked.promise;
  for (let turn = 0; turn < 10; turn += 1) await nextTurn();
  expect(await settlesWithin(connected, 50)).toBe(false);
  answer();
  await connected;
  await consumer.disconnect();
});
