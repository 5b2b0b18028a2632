import { expect, test, vi } from "vitest";
import { type Logger, safeLogger } from "../../src/logger.js";

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
