// A native consumer that always has records is played here: a broker's are rarely that fast for long.
import { expect, test, vi } from "vitest";
import { resolveKafkaOptions } from "../../../src/kafka-options.js";
import { LogSource } from "../../../src/reader/log-source.js";
import { resolveReadOptions } from "../../../src/reader/options.js";
import { ArrivalOrder } from "../../../src/reader/read-order.js";
import { silent } from "../../support/silent.js";

const ready = { records: [], ends: [{ topic: "t", partition: 0, offset: 1 }] };

vi.mock("../../../src/driver/native-consumer.js", () => ({
  NativeConsumer: class {
    fetch = () => Promise.resolve(ready);
    pause = () => undefined;
    resume = () => undefined;
    disconnect = () => Promise.resolve();
  },
}));

test("timers get their turns while records that are there already are read", async () => {
  const config = resolveKafkaOptions({ brokers: "nowhere:9092", logger: silent });
  const source = new LogSource(config, ["t"], resolveReadOptions({}, ["t"]));
  const order = new ArrivalOrder();
  const rang = vi.fn();
  setTimeout(rang, 20);
  for (let fetches = 0; rang.mock.calls.length === 0; fetches += 1) {
    expect(fetches).toBeLessThan(100_000);
    await source.fetchInto(order);
  }
  await source.close(new Error("the test is over"));
});
