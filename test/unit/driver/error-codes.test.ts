import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  errorCodeOf,
  errorCodes,
  isRefusedForGood,
  outcomeOf,
  recordStatusOf,
} from "../../../src/driver/error-codes.js";
import { fromNative, nativeCodes } from "../../../src/driver/native-errors.js";

/** The protocol's table; `test/support/kafka/list-errors.ts` says how it is made anew. */
const kafkaErrors = readFileSync(new URL("./kafka-errors.txt", import.meta.url), "utf8")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"))
  .map((line) => {
    const [code = "", name = "", isRetriable] = line.split(" ");
    return { code: Number(code), name, isRetriable: isRetriable === "true" };
  })
  .filter(({ name }) => name !== "NONE");

const require = createRequire(import.meta.url);
const bindingFolder = dirname(require.resolve("@confluentinc/kafka-javascript/package.json"));
const header = readFileSync(join(bindingFolder, "deps/librdkafka/src/rdkafka.h"), "utf8");
/** librdkafka's own codes, without the marks of where they begin and end. */
const localErrors = [...header.matchAll(/RD_KAFKA_RESP_ERR_(_\w+) = (-\d+)/g)]
  .map(([, name = "", code]) => ({ code: Number(code), name }))
  .filter(({ name }) => name !== "_BEGIN" && name !== "_END");

describe("the table of error codes", () => {
  test("has every error of the protocol, by its name", () => {
    expect(kafkaErrors.length).toBeGreaterThan(130);
    const ours = [...errorCodes].filter(([code]) => code >= -1).map(([code, { name }]) => [code, name]);
    expect(ours).toEqual(kafkaErrors.map(({ code, name }) => [code, name]));
  });

  test("has every error of librdkafka's own, by its name", () => {
    expect(localErrors.length).toBeGreaterThan(60);
    const ours = [...errorCodes].filter(([code]) => code < -1 && code > -1_000);
    expect(ours.map(([code, { name }]) => [code, name])).toEqual(
      localErrors.map(({ code, name }) => [code, name]),
    );
  });

  test("has every code that the library names", () => {
    expect(Object.values(nativeCodes).filter((code) => !errorCodes.has(code))).toEqual([]);
  });

  test("repeats what Kafka's own clients repeat, but for a topic that is missing and what may have been done", () => {
    const others = kafkaErrors.filter(
      ({ code, isRetriable }) => isRetriable && outcomeOf(code) !== "retriable",
    );
    expect(others.map(({ name }) => [name, errorCodeOf(codeOf(name)).outcome])).toEqual([
      ["UNKNOWN_TOPIC_OR_PARTITION", "refused"],
      ["REQUEST_TIMED_OUT", "unknown"],
      ["NETWORK_EXCEPTION", "unknown"],
      ["NOT_ENOUGH_REPLICAS_AFTER_APPEND", "unknown"],
    ]);
  });

  test("says of what Kafka's clients do not repeat that it may pass only where it says why", () => {
    const passing = kafkaErrors
      .filter(({ code, isRetriable }) => !isRetriable && outcomeOf(code) === "retriable")
      .map(({ name }) => name);
    expect(passing).toEqual([
      "BROKER_NOT_AVAILABLE",
      "STALE_CONTROLLER_EPOCH",
      "ILLEGAL_GENERATION",
      "INCONSISTENT_GROUP_PROTOCOL",
      "UNKNOWN_MEMBER_ID",
      "REBALANCE_IN_PROGRESS",
      "TRANSACTION_COORDINATOR_FENCED",
      "OPERATION_NOT_ATTEMPTED",
      "REASSIGNMENT_IN_PROGRESS",
      "MEMBER_ID_REQUIRED",
      "GROUP_MAX_SIZE_REACHED",
      "FENCED_MEMBER_EPOCH",
      "UNRELEASED_INSTANCE_ID",
      "STALE_MEMBER_EPOCH",
      "TRANSACTION_ABORTABLE",
      "REBOOTSTRAP_REQUIRED",
    ]);
  });
});

describe("what a code says of a record", () => {
  test.each([
    ["a timestamp that the broker does not take", 32],
    ["no key on a compacted topic", 87],
    ["too large", 10],
    ["a batch larger than a segment", 18],
    ["a compression that the topic does not take", 76],
    ["no permission", 29],
    ["a policy", 44],
    ["a topic that is not there", 3],
    ["an internal topic", 17],
  ])("%s: it has failed, and would again", (_, code) => {
    expect(recordStatusOf(code)).toBe("failed");
    expect(isRefusedForGood(code)).toBe(true);
    expect(fromNative("send", { code, message: "x" }).retriable).toBe(false);
  });

  test.each([
    ["the queue was full", -184],
    ["another record of its batch was refused", -138],
  ])("%s: it has failed, and may be sent again", (_, code) => {
    expect(recordStatusOf(code)).toBe("failed");
    expect(isRefusedForGood(code)).toBe(false);
    expect(fromNative("send", { code, message: "x" }).retriable).toBe(true);
  });

  test.each([
    ["no acknowledgement in time", -192],
    ["a broken connection", -195],
    ["written, but not to enough replicas", 20],
    ["not enough replicas at the last of several tries", 19],
    ["credentials refused after a try before", -169],
    ["purged from a queue to which it may have come back", -152],
    ["the broker failed", -1],
    ["a code of a later Kafka", 31_000],
  ])("%s: it may be in the log", (_, code) => {
    expect(recordStatusOf(code)).toBe("unknown");
  });

  test("a transaction may be run again after everything that is not refused for good", () => {
    expect(
      [-192, -195, 20, 19, -152, -1, 31_000, 48, 120, 22, 82, -144, undefined].map(isRefusedForGood),
    ).toEqual(Array.from({ length: 13 }, () => false));
  });
});

function codeOf(name: string): number {
  return kafkaErrors.find((error) => error.name === name)?.code ?? 0;
}
