import { describe, expect, test } from "vitest";
import { deadLetterHeaders, parseDeadLetter } from "../../../src/failure/dead-letter.js";
import { parseRetryRecord, retryHeaders } from "../../../src/failure/retry-record.js";

const record = {
  topic: "orders",
  partition: 3,
  offset: 41,
  timestamp: 5,
  key: null,
  value: null,
  headers: [],
};
const unreadable = ["unknown", "what was thrown cannot be read"] as const;
const hostile = { toString: () => JSON.parse("{") as string };

/** An error whose fields are not what their types say. */
const errorWith = (fields: object): Error =>
  Object.defineProperties(
    new Error("text"),
    Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, { value }])),
  );

describe.each<[string, unknown, readonly [name: string, message: string, code?: string]]>([
  ["an object as its message", errorWith({ message: { status: 500 } }), ["Error", "[object Object]"]],
  ["a number as its message", errorWith({ message: 500 }), ["Error", "500"]],
  ["no message", errorWith({ message: undefined }), ["Error", "undefined"]],
  ["a symbol as its message", errorWith({ message: Symbol("s") }), ["Error", "Symbol(s)"]],
  ["a message that cannot be read", errorWith({ message: hostile }), unreadable],
  ["an object without a prototype as its message", errorWith({ message: Object.create(null) }), unreadable],
  ["a number as its name", errorWith({ name: 404 }), ["404", "text"]],
  ["no name", errorWith({ name: undefined }), ["undefined", "text"]],
  ["a symbol as its name", errorWith({ name: Symbol("s") }), ["Symbol(s)", "text"]],
  ["a number as its code", errorWith({ code: 23_505 }), ["Error", "text", "23505"]],
  ["an object as its code", errorWith({ code: {} }), ["Error", "text"]],
])("an error with %s", (_, error, [errorName, errorMessage, errorCode]) => {
  test("makes a dead letter", () => {
    const failure = { reason: "handler", error, attempts: 1, group: "g", failedAt: 7 } as const;
    const letter = parseDeadLetter(deadLetterHeaders(record, failure));
    expect(letter?.info).toMatchObject({ errorName, errorMessage, errorCode });
  });

  test("makes a record of a retry topic", () => {
    const headers = retryHeaders(record, { attempts: 1, dueAt: 7, group: "g", error });
    const expected = { topic: "orders", group: "g", maxDelayMs: 1, now: 7 };
    expect(parseRetryRecord({ ...record, headers }, expected)).toMatchObject({ attempts: 1 });
  });
});
