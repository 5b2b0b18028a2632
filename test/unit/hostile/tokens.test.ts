import fc from "fast-check";
import { inspect } from "node:util";
import { ConfigError, Kafka, KafkaError, type OAuthToken } from "typed-kafka";
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { checkToken } from "../../../src/driver/token-renewal.js";
import { oddNames, runs, watchPrototypes } from "../../support/hostile.js";

watchPrototypes();

const secret = "planted-secret";
const unhandled: unknown[] = [];
const note = (error: unknown): void => void unhandled.push(error);
process.on("unhandledRejection", note);
afterAll(() => {
  process.off("unhandledRejection", note);
  expect(unhandled).toEqual([]);
});

const anyTime = fc.oneof(
  fc.double(),
  fc.constantFrom(NaN, Infinity, -Infinity, -1, 0, -0, 8.64e15, 8.65e15, 2 ** 53, 1e300),
  fc.date(),
  fc.constantFrom(new Date(0), "1", null, undefined, 1n, {}, []),
);
const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  oddNames,
  fc.constantFrom("\ud800", "a\nb", "a\0b", "a\x01auth=x", " a", `${secret}\n`, "x".repeat(100_000)),
);
const anything = fc.oneof(fc.anything(), anyText, anyTime);
const anyToken = fc.oneof(
  anything,
  fc.record(
    {
      value: fc.oneof(anyText, anything),
      expiresAt: anyTime,
      principal: anything,
      extensions: fc.oneof(anything, fc.dictionary(anyText, fc.oneof(anyText, anything))),
    },
    { requiredKeys: [] },
  ),
);

test("any token is taken as it is, or is a ConfigError that names the option and does not show the token", () => {
  fc.assert(
    fc.property(anyToken, (given) => {
      try {
        const token = checkToken(given as OAuthToken);
        expect(token.value).toMatch(/^\P{Cc}+$/u);
        expect(token.expiresAt).toBeGreaterThan(0);
        expect(token.expiresAt).toBeLessThanOrEqual(8.64e15);
      } catch (error) {
        expect(error).toBeInstanceOf(ConfigError);
        expect(error).toMatchObject({ field: "sasl.token" });
        expect(inspect(error)).not.toContain(secret);
      }
    }),
    runs(1_000),
  );
});

const good = (): OAuthToken => ({ value: secret, principal: "somebody", expiresAt: Date.now() + 60_000 });
const later = <Result>(ms: number, result: Result) =>
  new Promise<Result>((resolve) => {
    setTimeout(() => resolve(result), ms);
  });
const rejecting = (reason: unknown) => async (): Promise<OAuthToken> => {
  await later(1, undefined);
  throw reason;
};
/** An error whose message throws. */
const unreadable = Object.defineProperty(new Error(), "message", {
  get: () => {
    throw new Error("not to be read");
  },
});

/** The time to connect in is over once the provider was asked: how long that takes is the machine's matter. */
const timeIsUp = (): void => {
  vi.advanceTimersByTime(connectTimeoutMs);
};
const connectTimeoutMs = 1_000;

describe("a client ends its wait in time, with a typed error, where a token provider", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["performance"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test.each<[string, () => Promise<OAuthToken>, RegExp]>([
    ["hangs", () => (timeIsUp(), new Promise(() => {})), /token provider has not answered/],
    ["answers late", () => (timeIsUp(), later(1_500, good())), /token provider has not answered|no broker/],
    ["throws an error without a message", rejecting(new Error("")), /it does not say why/],
    ["throws a message of NULs", rejecting(new Error("\0\0")), /it does not say why/],
    ["throws a message of several lines", rejecting(new Error("a\nERROR b")), /failed: a ERROR b/],
    ["throws a very long message", rejecting(new Error("x".repeat(1e6))), /failed: x{500}$/],
    ["throws what cannot be read", rejecting(unreadable), /it does not say why/],
    ["throws a symbol", rejecting(Symbol("away")), /Symbol\(away\)/],
    ["throws an object without a prototype", rejecting(Object.create(null)), /an object/],
    ["gives nothing", () => Promise.resolve(undefined as never), /expected a promise of/],
    ["gives a text", () => Promise.resolve(secret as never), /expected a promise of/],
    [
      "gives a text as extensions",
      () => Promise.resolve({ ...good(), extensions: secret as never }),
      /got a text/,
    ],
    ["gives no promise", (() => ({ ...good(), expiresAt: NaN })) as never, /is no time/],
    ["gives NaN", () => Promise.resolve({ ...good(), expiresAt: NaN }), /expiresAt is NaN/],
    ["gives Infinity", () => Promise.resolve({ ...good(), expiresAt: Infinity }), /is no time/],
    ["gives -Infinity", () => Promise.resolve({ ...good(), expiresAt: -Infinity }), /has expired/],
    [
      "gives a Date",
      () => Promise.resolve({ ...good(), expiresAt: new Date() as never }),
      /expiresAt: number/,
    ],
    ["gives a line break", () => Promise.resolve({ ...good(), value: `${secret}\n` }), /control character/],
    ["gives an empty token", () => Promise.resolve({ ...good(), value: "" }), /is empty/],
    [
      "gives a number of an extension",
      () => Promise.resolve({ ...good(), extensions: { a: 1 as never } }),
      /texts/,
    ],
    [
      "gives no extensions but null",
      () => Promise.resolve({ ...good(), extensions: null as never }),
      /expected extensions to be an object/,
    ],
    [
      "gives a bad extension",
      () => Promise.resolve({ ...good(), extensions: { auth: secret } }),
      /extension/,
    ],
  ])("%s", async (_, token, message) => {
    const texts: string[] = [];
    const log = (line: string, fields?: object): void =>
      void texts.push(line, inspect(fields, { depth: 20 }));
    await using kafka = new Kafka({
      // Nobody listens there.
      brokers: "127.0.0.1:1",
      connectTimeoutMs,
      sasl: { mechanism: "oauthbearer", token },
      logger: { debug: log, info: log, warn: log, error: log },
    });
    const error: unknown = await kafka
      .admin()
      .listTopics()
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(KafkaError);
    expect((error as KafkaError).message).toMatch(message);
    texts.push(
      (error as KafkaError).message,
      ...(error instanceof Error && error.cause !== unreadable ? [inspect(error, { depth: 20 })] : []),
    );
    expect(texts.filter((text) => text.includes(secret))).toEqual([]);
    expect(texts.filter((text) => text.startsWith("ERROR b"))).toEqual([]);
  });
});
