import { format } from "node:util";
import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { consoleLogger, type LogFields, type Logger, safeLogger } from "../../src/logger.js";

const levels = ["debug", "info", "warn", "error"] as const;
const always = (log: () => unknown): Logger => ({ debug: log, info: log, warn: log, error: log });

test.each(levels)("%s: what a logger throws changes nothing, and it is called the next time too", (level) => {
  const log = vi.fn(() => {
    throw new Error("EPIPE");
  });
  const logger = safeLogger(always(log));
  expect(() => {
    logger[level]("one");
    logger[level]("two", { error: new Error("x") });
  }).not.toThrow();
  expect(log).toHaveBeenCalledTimes(2);
});

test("a promise of a logger that rejects, or cannot be asked, is no unhandled rejection", async () => {
  const unhandled = vi.fn();
  process.on("unhandledRejection", unhandled);
  try {
    const then = () => {
      throw new Error("no thenable");
    };
    for (const log of [() => Promise.reject(new Error("later")), () => ({ then })])
      for (const level of levels) safeLogger(always(log))[level]("text");
    // Node tells of a rejection after the microtasks of the turn.
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(unhandled).not.toHaveBeenCalled();
  } finally {
    process.off("unhandledRejection", unhandled);
  }
});

test("a logger is called as the method that it is", () => {
  class Lines implements Logger {
    readonly lines: string[] = [];
    debug(message: string) {
      this.lines.push(message);
    }
    info(message: string) {
      this.lines.push(message);
    }
    warn(message: string) {
      this.lines.push(message);
    }
    error(message: string) {
      this.lines.push(message);
    }
  }
  const lines = new Lines();
  for (const level of levels) safeLogger(lines)[level](level);
  expect(lines.lines).toEqual([...levels]);
});

describe("the default logger", () => {
  afterEach(() => vi.restoreAllMocks());

  const printed = (level: "warn" | "error", message: string, fields: LogFields): string => {
    const print = vi.spyOn(console, level).mockImplementation(() => undefined);
    consoleLogger[level](message, fields);
    return format(...(print.mock.lastCall ?? []));
  };

  test("a message is one line of the console, whatever is in it", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("warn" as const, "error" as const),
        fc.string({ unit: "binary" }),
        fc.constantFrom(
          "\n",
          "\r\ntyped-kafka: ",
          "\u001b[2K",
          "\u0000",
          "\u2028",
          "\u0085",
          "\u202e",
          "%s%j%o%c",
        ),
        (level, text, hostile) => {
          const lines = printed(level, `a handler failed: ${hostile}${text}${hostile}`, {
            topic: hostile,
          }).split(/[\r\n\u2028\u2029\u0085]/u);
          expect(lines.filter((line) => line.startsWith("typed-kafka:"))).toHaveLength(1);
          // What follows is of the fields, which are quoted.
          for (const line of lines.slice(1)) expect(line).toMatch(/^ {2}|^\}/u);

          expect(lines[0]).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/u);
        },
      ),
    );
  });

  test("takes no sign of a message for a place of the fields, and changes no text without control characters", () => {
    expect(printed("warn", "50 %s of étudiants 💥", { topic: "a" })).toMatch(
      /^typed-kafka: 50 %s of étudiants 💥 \{/u,
    );
  });
});
