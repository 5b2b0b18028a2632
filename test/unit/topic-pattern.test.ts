import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { ConfigError } from "../../src/errors.js";
import { toPosix, topicOf, topicPattern } from "../../src/topic-pattern.js";
import { defineTopic } from "../../src/topic.js";

const value = z.object({ id: z.number() });

test.each([
  [/^orders\.(eu|us)$/, "^(orders\\.(eu|us))$"],
  [/orders/, "^.*(orders).*$"],
  [/^orders-\d+/, "^(orders-[0-9]+).*$"],
  [/-v[0-9]{1,3}$/, "^.*(-v[0-9]{1,3})$"],
  [/^(?:a|b)\.\w+$/, "^((a|b)\\.[A-Za-z0-9_]+)$"],
  [/[\w.-]+/, "^.*([A-Za-z0-9_.-]+).*$"],
  [/[\-a]/, "^.*([a-]).*$"],
  [/a|b/, "^.*(a|b).*$"],
])("%s is subscribed to as %s", (pattern, posix) => {
  expect(toPosix(pattern)).toBe(posix);
});

test.each([
  /a(?=b)/,
  /a(?!b)/,
  /(?<name>a)/,
  /a+?/,
  /\bword/,
  /(a)\1/,
  /\s/,
  /a/i,
  /^a|b$/,
  /[^\]]/,
  /a^/,
  /\u0061/,
])("%s, which Kafka would read otherwise, is refused", (pattern) => {
  expect(() => topicPattern(pattern, { value })).toThrow(ConfigError);
});

test("fits the names that the JavaScript expression fits", () => {
  const part = fc.constantFrom(
    "a",
    "b",
    "\\.",
    ".",
    "\\d",
    "\\w",
    "[ab]",
    "[^a]",
    "[\\d.-]",
    "(a|b)",
    "(?:ab)",
    "-",
  );
  const quantified = fc
    .tuple(part, fc.constantFrom("", "", "*", "+", "?", "{1,2}"))
    .map((both) => both.join(""));
  const pattern = fc
    .tuple(
      fc.constantFrom("", "^"),
      fc.array(quantified, { minLength: 1, maxLength: 5 }),
      fc.constantFrom("", "$"),
    )
    .map(([start, parts, end]) => new RegExp(`${start}${parts.join("")}${end}`));
  const name = fc.string({ unit: fc.constantFrom("a", "b", "1", ".", "-", "_"), maxLength: 8 });
  fc.assert(
    fc.property(pattern, fc.array(name), (given, names) => {
      // What POSIX and JavaScript share means the same in both.
      const posix = new RegExp(toPosix(given));
      for (const each of names) expect([each, posix.test(each)]).toEqual([each, given.test(each)]);
    }),
    { numRuns: 300 },
  );
});

describe("topicOf", () => {
  const orders = defineTopic("orders.eu", { value });
  const pattern = topicPattern(/^orders\./, { value, tombstones: true });

  test("prefers the topic that was named to the pattern that fits as well", () => {
    expect(topicOf([pattern, orders], "orders.eu")).toBe(orders);
  });

  test("gives a topic of the record's own name for a pattern", () => {
    expect(topicOf([pattern, orders], "orders.us")).toMatchObject({ name: "orders.us", tombstones: true });
  });
});

test("a pattern takes what a definition for reading needs, and refuses the rest", () => {
  expect(() => topicPattern("orders" as unknown as RegExp, { value })).toThrow(
    "expected a regular expression",
  );
  expect(() => topicPattern(/orders/, { value, partitions: 3 } as { value: typeof value })).toThrow(
    ConfigError,
  );
  expect(() => topicPattern(/orders/, { value, keyOf: () => "" } as { value: typeof value })).toThrow(
    ConfigError,
  );
});
