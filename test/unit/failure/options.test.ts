import { describe, expect, test } from "vitest";
import { z } from "zod";
import { ConfigError } from "../../../src/errors.js";
import { type FailureOptions, resolveFailureOptions } from "../../../src/failure/options.js";
import { defineTopic } from "../../../src/topic.js";

const letters = defineTopic("letters", { value: z.string() });
const resolve = (options: unknown, groupId = "g", topics: readonly string[] = ["orders"]) =>
  resolveFailureOptions(options as FailureOptions, groupId, { topics });

function fieldOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof ConfigError) return error.field;
    throw error;
  }
  return "nothing was refused";
}

test("without any option there is no policy", () => {
  expect(resolve({})).toBeUndefined();
  expect(resolve({ onInvalid: "fail", deadLetter: false })).toBeUndefined();
});

test("fills in the defaults", () => {
  expect(resolve({ retry: {} })?.retry).toEqual({
    attempts: 5,
    initialDelayMs: 200,
    factor: 2,
    maxDelayMs: 30_000,
    jitter: true,
    retryIf: undefined,
  });
  expect(resolve({ retry: { initialDelayMs: 60_000 } })?.retry?.maxDelayMs).toBe(60_000);
});

test("names the topics by topic and group", () => {
  const policy = resolve({ deadLetter: true, retryTopics: { delaysMs: [10, 20] } }, "g", ["a", "b"]);
  expect(policy?.topics.map(({ name, sources }) => [name, ...sources])).toEqual([
    ["a.g.retry-1", "a"],
    ["a.g.retry-2", "a"],
    ["a.g.dead-letter", "a"],
    ["b.g.retry-1", "b"],
    ["b.g.retry-2", "b"],
    ["b.g.dead-letter", "b"],
  ]);
});

test("a dead-letter topic of the user's serves all sources", () => {
  const policy = resolve({ deadLetter: letters }, "g", ["a", "b"]);
  expect(policy?.topics.map(({ name }) => name)).toEqual(["letters"]);
  expect(policy?.deadLetterTopicOf("b")).toBe("letters");
});

describe("refuses, naming the field", () => {
  test.each([
    ["retry", { retry: 3 }],
    ["retry.tries", { retry: { tries: 3 } }],
    ["retry.attempts", { retry: { attempts: 0 } }],
    ["retry.attempts", { retry: { attempts: -1 } }],
    ["retry.attempts", { retry: { attempts: NaN } }],
    ["retry.attempts", { retry: { attempts: 2.5 } }],
    ["retry.attempts", { retry: { attempts: 1_001 } }],
    ["retry.attempts", { retry: { attempts: Infinity } }],
    ["retry.attempts", { retry: { attempts: "3" } }],
    ["retry.initialDelayMs", { retry: { initialDelayMs: 0 } }],
    ["retry.initialDelayMs", { retry: { initialDelayMs: -200 } }],
    ["retry.initialDelayMs", { retry: { initialDelayMs: NaN } }],
    ["retry.maxDelayMs", { retry: { maxDelayMs: 0 } }],
    ["retry.maxDelayMs", { retry: { initialDelayMs: 500, maxDelayMs: 100 } }],
    ["retry.factor", { retry: { factor: 0 } }],
    ["retry.factor", { retry: { factor: NaN } }],
    ["retry.factor", { retry: { factor: -2 } }],
    ["retry.factor", { retry: { factor: Infinity } }],
    ["retry.jitter", { retry: { jitter: "full" } }],
    ["retry.retryIf", { retry: { retryIf: true } }],
    ["retryTopics", { retryTopics: [5_000] }],
    ["retryTopics.delaysMs", { retryTopics: {} }],
    ["retryTopics.delaysMs", { retryTopics: { delaysMs: [] } }],
    ["retryTopics.delaysMs", { retryTopics: { delaysMs: Array.from({ length: 11 }, () => 1_000) } }],
    ["retryTopics.delaysMs[1]", { retryTopics: { delaysMs: [5_000, 0] } }],
    ["retryTopics.delaysMs[0]", { retryTopics: { delaysMs: [NaN] } }],
    ["retryTopics.delaysMs[0]", { retryTopics: { delaysMs: [undefined] } }],
    ["retryTopics.delaysMs[0]", { retryTopics: { delaysMs: [-1] } }],
    ["retryTopics.delaysMs[0]", { retryTopics: { delaysMs: [86_400_001] } }],
    ["deadLetter", { deadLetter: "letters" }],
    ["deadLetter", { deadLetter: {} }],
    ["onInvalid", { onInvalid: "ignore" }],
    ["onInvalid", { onInvalid: "dead-letter" }],
  ])("%s in %j", (field, options) => {
    expect(fieldOf(() => resolve(options))).toBe(field);
  });

  test("a dead-letter topic that is a source topic", () => {
    expect(fieldOf(() => resolve({ deadLetter: letters }, "g", ["orders", "letters"]))).toBe("deadLetter");
    expect(fieldOf(() => resolve({ deadLetter: true }, "g", ["orders", "orders.g.dead-letter"]))).toBe(
      "deadLetter",
    );
  });

  test("a dead-letter topic that is a retry topic", () => {
    const retryTopic = defineTopic("orders.g.retry-1", { value: z.string() });
    expect(fieldOf(() => resolve({ deadLetter: retryTopic, retryTopics: { delaysMs: [1] } }))).toBe(
      "retryTopics",
    );
  });

  test("a retry topic that is a source topic", () => {
    expect(
      fieldOf(() => resolve({ retryTopics: { delaysMs: [1] } }, "g", ["orders", "orders.g.retry-1"])),
    ).toBe("retryTopics");
  });

  test("a circle: dead letters of dead letters that go to where they came from", () => {
    const orders = defineTopic("orders", { value: z.string() });
    expect(fieldOf(() => resolve({ deadLetter: orders }, "h", ["orders.g.dead-letter"]))).toBe("deadLetter");
  });

  test("names for the topics of a pattern, and a pattern that the dead letters fit", () => {
    const sources = { topics: [], patterns: [/^letters/] };
    const other = defineTopic("failed", { value: z.string() });
    const of = (options: FailureOptions) => () => resolveFailureOptions(options, "g", sources);
    expect(fieldOf(of({ deadLetter: true }))).toBe("deadLetter");
    expect(fieldOf(of({ deadLetter: letters }))).toBe("deadLetter");
    expect(fieldOf(of({ retryTopics: { delaysMs: [1] } }))).toBe("retryTopics");
    expect(of({ deadLetter: other })()?.deadLetterTopicOf("letters-7")).toBe("failed");
  });

  test("names that Kafka does not take", () => {
    expect(fieldOf(() => resolve({ deadLetter: true }, "my group"))).toBe("deadLetter");
    expect(fieldOf(() => resolve({ retryTopics: { delaysMs: [1] } }, "team:x"))).toBe("retryTopics");
    expect(fieldOf(() => resolve({ deadLetter: true }, "g".repeat(231)))).toBe("deadLetter");
    expect(resolve({ deadLetter: true }, "g".repeat(230))?.topics[0]?.name).toHaveLength(249);
  });
});
