import { afterAll, beforeEach, describe, expect, test } from "vitest";
import {
  AuthenticationError,
  AuthorizationError,
  ConfigError,
  ConnectionError,
  InvalidRecordError,
  KafkaError,
  TimeoutError,
} from "../../../src/errors.js";
import { jsonSchema } from "../../../src/schema-registry/json-schema.js";
import type { SchemaRegistryOptions } from "../../../src/schema-registry/options.js";
import { avro } from "../../../src/schema-registry/avro.js";
import { schemaRegistry } from "../../../src/schema-registry/registry.js";
import { createDecoder } from "../../../src/serde/decoder.js";
import { defineTopic } from "../../../src/topic.js";
import { z } from "zod";
import { startFakeRegistry } from "../../support/fake-registry.js";
import { rawRecord } from "../group/records.js";
import { failureOf, value } from "./context.js";

const fake = await startFakeRegistry();
afterAll(() => fake[Symbol.asyncDispose]());
beforeEach(() => {
  fake.fault = () => undefined;
  fake.requests.length = 0;
  fake.headers.length = 0;
});

const text = (options: Partial<SchemaRegistryOptions> = {}) =>
  avro(schemaRegistry({ url: fake.url, timeoutMs: 20_000, ...options }), "string", z.string());
const write = (options?: Partial<SchemaRegistryOptions>) => text(options).serialize("a", value);

describe("a registry that does not answer as it should", () => {
  test.each([
    ["401", { status: 401, body: { error_code: 401, message: "who?" } }, AuthenticationError, false, /who\?/],
    ["403", { status: 403, body: { error_code: 403, message: "no" } }, AuthorizationError, false, /POST/],
    [
      "500",
      { status: 500, body: { error_code: 50001, message: "storage" } },
      ConnectionError,
      true,
      /500: storage/,
    ],
    ["429", { status: 429 }, ConnectionError, true, /429/],
    ["503 with a page", { status: 503, body: "<html>" }, ConnectionError, true, /503/],
    ["a page", { status: 200, body: "<html>" }, ConfigError, false, /is it a registry/],
    ["404 of something else", { status: 404, body: "<html>" }, ConfigError, false, /is its path right/],
    ["nothing", "hang", TimeoutError, true, /did not answer within/],
  ] as const)("%s is an error of its own", async (_, fault, type, retriable, message) => {
    fake.fault = () => fault;
    // What is retriable is tried until the time is over.
    const error = await failureOf(() => write({ timeoutMs: retriable ? 2_000 : 20_000 }));
    expect(error).toBeInstanceOf(type);
    expect(error).toHaveProperty("retriable", retriable);
    expect(error.message).toMatch(message);
    expect(error.message).toContain(fake.url);
  });

  test("one that nobody listens for is a ConnectionError with the reason", async () => {
    const error = await failureOf(() => write({ url: "http://127.0.0.1:9", timeoutMs: 2_000 }));
    expect(error).toBeInstanceOf(ConnectionError);
    expect(error.message).toMatch(/127\.0\.0\.1:9 cannot be reached: (?!fetch failed)/);
  });

  test("an answer is the reason, and not that there was no time for another one", async () => {
    let tries = 0;
    const answering = (_: unknown, init?: RequestInit): Promise<Response> =>
      (tries += 1) === 1
        ? Promise.resolve(new Response("{}", { status: 500 }))
        : new Promise((_, reject) => {
            init?.signal?.addEventListener("abort", () => {
              reject(init.signal?.reason as Error);
            });
          });
    const error = await failureOf(() => write({ fetch: answering, timeoutMs: 1_000 }));
    expect(error).toBeInstanceOf(ConnectionError);
    expect(error.message).toMatch(/500/);
  });

  test("what cannot be read because of it is no invalid record", async () => {
    const id = fake.register("other", '"string"');
    const topic = defineTopic("students", { value: text({ timeoutMs: 2_000 }) });
    const record = rawRecord(0, { value: Buffer.from([0, 0, 0, 0, id, 2, 0x61]) });
    for (const status of [401, 403, 404, 500]) {
      fake.fault = () => ({ status });
      const error = await failureOf(() => createDecoder(topic)(record));
      expect(error).toBeInstanceOf(KafkaError);
      expect(error).not.toBeInstanceOf(InvalidRecordError);
    }
    fake.fault = () => undefined;
    expect((await createDecoder(topic)(record)).value).toBe("a");
  });

  test("it is asked again within timeoutMs, and once more for the next record where that was not enough", async () => {
    let left = 2;
    fake.fault = () => (left-- > 0 ? { status: 503 } : undefined);
    const serde = text();
    expect(await serde.serialize("a", value)).toBeInstanceOf(Buffer);
    expect(fake.requests).toHaveLength(3);

    const other = text({ timeoutMs: 2_000 });
    fake.fault = () => ({ status: 503 });
    await failureOf(() => other.serialize("a", value));
    fake.fault = () => undefined;
    expect(await other.serialize("a", value)).toBeInstanceOf(Buffer);
  });

  test("the next address is asked where one cannot be reached", async () => {
    const began = performance.now();
    const timeoutMs = 60_000;
    const bytes = await write({ url: ["http://127.0.0.1:9", `${fake.url}/`], timeoutMs });
    expect(bytes[0]).toBe(0);
    expect(performance.now() - began).toBeLessThan(timeoutMs / 2);
    expect(fake.requests).toEqual(["POST /subjects/students-value/versions"]);
  });
});

describe("logging in", () => {
  test.each([
    ["a name and a password", { username: "me", password: "pässword" }, "Basic bWU6cMOkc3N3b3Jk"],
    ["a token", { token: "abc" }, "Bearer abc"],
    ["a function", { token: () => Promise.resolve("def") }, "Bearer def"],
  ])("by %s", async (_, auth, expected) => {
    await write({ auth, headers: { "target-sr-cluster": "lsrc-1" } });
    expect(fake.headers[0]).toMatchObject({ authorization: expected, "target-sr-cluster": "lsrc-1" });
  });

  test("a function that gives no token for now is retriable", async () => {
    const token = () => Promise.reject(new Error("no answer"));
    const error = await failureOf(() => write({ auth: { token }, timeoutMs: 2_000 }));
    expect(error).toBeInstanceOf(ConnectionError);
    expect(error.message).toMatch(/auth\.token.*no answer/);
    expect(fake.requests).toEqual([]);
  });
});

test("a fetch of one's own makes the requests", async () => {
  const urls: unknown[] = [];
  await write({
    fetch: (input, init) => {
      urls.push(input);
      return fetch(input, init);
    },
  });
  expect(urls).toEqual([`${fake.url}/subjects/students-value/versions?normalize=false`]);
});

test.each([
  [{ url: "registry:8081" }, "url"],
  [{ url: [] }, "url"],
  [{ url: "http://me:secret@registry" }, "url"],
  [{ url: "http://registry", auth: { username: "me" } }, "auth"],
  [{ url: "http://registry", auth: { token: "" } }, "auth.token"],
  [{ url: "http://registry", timeoutMs: 1 }, "timeoutMs"],
  [{ url: "http://registry", fetch: 1 }, "fetch"],
  [{ url: "http://registry", retries: 3 }, "SchemaRegistryOptions.retries"],
])("wrong options are refused by their name: %j", async (options, field) => {
  const error = await failureOf(() => schemaRegistry(options as SchemaRegistryOptions));
  expect(error).toBeInstanceOf(ConfigError);
  expect(error).toHaveProperty("field", field);
});

test("making serdes asks nothing", () => {
  text();
  jsonSchema(schemaRegistry({ url: fake.url }), z.string());
  expect(fake.requests).toEqual([]);
});
