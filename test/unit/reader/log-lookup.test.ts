import { expect, test } from "vitest";
import { nativeCodes } from "../../../src/driver/native-errors.js";
import { KafkaError } from "../../../src/errors.js";
import { LogLookup } from "../../../src/reader/log-lookup.js";
import { resolveReadOptions } from "../../../src/reader/options.js";
import { silent } from "../../support/silent.js";

test("a leader that is silent is looked up before it is asked again", async () => {
  const asked: string[] = [];
  const native = {
    partitionsOf: (topic: string) => {
      asked.push(`who leads ${topic}`);
      return Promise.resolve([0]);
    },
    offsetsForTimes: () => {
      asked.push("offsets");
      return asked.includes("who leads b")
        ? Promise.resolve([{ topic: "a", partition: 0, offset: 7 }])
        : Promise.reject(new KafkaError("TIMEOUT", "no answer", { nativeCode: nativeCodes.timedOut }));
    },
  };
  const { signal } = new AbortController();
  const lookup = new LogLookup(native, ["a", "b"], resolveReadOptions({}, ["a", "b"]), silent, signal);
  const ends = await lookup.ends([{ topic: "a", partition: 0 }], signal);
  expect([...ends.values()]).toEqual([7]);
  expect(asked).toEqual(["offsets", "who leads a", "who leads b", "offsets"]);
});
