import { describe, expect, test } from "vitest";
import { ConfigError } from "../../../src/errors.js";
import { type ProducerOptions, resolveProducerOptions } from "../../../src/producer/options.js";

const resolve = (options: ProducerOptions, shared = {}) => resolveProducerOptions(options, shared);

function fieldOf(options: object, shared = {}): string {
  try {
    resolve(options, shared);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).field;
  }
  throw new Error("it was not refused");
}

describe("the options of a producer", () => {
  test("make it safe without being asked", () => {
    expect(resolve({}).properties).toMatchObject({
      "enable.idempotence": true,
      acks: -1,
      partitioner: "murmur2_random",
      "delivery.timeout.ms": 120_000,
      "request.timeout.ms": 30_000,
      retries: 2_147_483_647,
      "linger.ms": 0,
      "compression.type": "none",
    });
  });

  test("cannot take the safety away", () => {
    const shared = {
      "enable.idempotence": false,
      acks: 0,
      "max.in.flight.requests.per.connection": 5,
      "client.id": "me",
    };
    expect(resolve({}, shared).properties).toMatchObject({
      "enable.idempotence": true,
      acks: -1,
      "max.in.flight.requests.per.connection": 1,
      "client.id": "me",
    });
  });

  test("are named where they are wrong", () => {
    expect(fieldOf({ lingerMS: 5 })).toBe("ProducerOptions.lingerMS");
    expect(fieldOf({ retries: 0 })).toBe("retries");
    expect(fieldOf({ lingerMs: 0.5 })).toBe("lingerMs");
    expect(fieldOf({ compression: "brotli" })).toBe("compression");
    expect(fieldOf({ partitioner: "murmur" })).toBe("partitioner");
    expect(fieldOf({ partitioner: 3 })).toBe("partitioner");
    expect(fieldOf({ maxInFlightRecords: 0 })).toBe("maxInFlightRecords");
    expect(fieldOf({ maxInFlightRequests: 6 })).toBe("maxInFlightRequests");
    expect(fieldOf({ maxBatchBytes: 2_000, maxRecordBytes: 1_000 })).toBe("maxBatchBytes");
  });

  test("leave room within deliveryTimeoutMs for the linger and one request", () => {
    expect(fieldOf({ deliveryTimeoutMs: 20_000, requestTimeoutMs: 20_000, lingerMs: 1 })).toBe(
      "deliveryTimeoutMs",
    );
    expect(fieldOf({ deliveryTimeoutMs: 1_000, lingerMs: 1_000 })).toBe("deliveryTimeoutMs");
    expect(
      resolve({ deliveryTimeoutMs: 20_000, requestTimeoutMs: 19_000, lingerMs: 1_000 }).properties[
        "request.timeout.ms"
      ],
    ).toBe(19_000);
  });

  test("shorten a request that was not given to what a shorter deliveryTimeoutMs leaves", () => {
    expect(resolve({ deliveryTimeoutMs: 5_000, lingerMs: 100 }).properties["request.timeout.ms"]).toBe(4_900);
  });

  test("let a record leave at once unless a linger is given", () => {
    expect(resolve({}).properties["linger.ms"]).toBe(0);
    expect(resolve({ lingerMs: 7 }).properties["linger.ms"]).toBe(7);
  });

  test("have sendAll gather batches, and report failures alone", () => {
    expect(resolve({}).bulkProperties).toMatchObject({ "linger.ms": 5, "delivery.report.only.error": true });
    expect(resolve({ lingerMs: 50 }).bulkProperties["linger.ms"]).toBe(50);
  });

  test("are not changed", () => {
    const options = Object.freeze({ lingerMs: 3 });
    const shared = Object.freeze({ "client.id": "me" });
    resolve(options, shared);
    expect(options).toEqual({ lingerMs: 3 });
    expect(shared).toEqual({ "client.id": "me" });
  });
});
