import { expect, test } from "vitest";
import { failTogether } from "../../../src/admin/failures.js";
import {
  AuthenticationError,
  AuthorizationError,
  ClosedError,
  ConnectionError,
  KafkaError,
  TimeoutError,
} from "../../../src/errors.js";

/** What `failTogether` throws where these errors happen, one after a success. */
async function thrownFor(...errors: readonly Error[]): Promise<unknown> {
  return failTogether("could not be asked", [undefined, ...errors], (error) => {
    if (error !== undefined) throw error;
  }).catch((error: unknown) => error);
}

test("one failure is thrown as it is", async () => {
  const error = new TypeError("odd");
  expect(await thrownFor(error)).toBe(error);
});

const subclasses = [AuthenticationError, AuthorizationError, ClosedError, ConnectionError, TimeoutError];

test.each(subclasses.map((Class) => [Class.name, Class] as const))(
  "several failures that are all %ss are one, with all of them as its cause",
  async (_, Class) => {
    const [first, second] = [new Class("a", { nativeCode: 29 }), new Class("b")];
    const thrown = await thrownFor(first, second);
    expect(thrown).toBeInstanceOf(Class);
    const { code, name, retriable } = first;
    const message = "2 of 3 could not be asked: a; b";
    expect(thrown).toMatchObject({ code, name, retriable, message, nativeCode: 29 });
    expect(thrown).toHaveProperty("cause.errors", [first, second]);
  },
);

test("failures of several classes are a plain error with the first one's code, to be tried again only if all are", async () => {
  const thrown = await thrownFor(new TimeoutError("a"), new AuthorizationError("b"), new TypeError("c"));
  expect(thrown).toMatchObject({
    name: "KafkaError",
    code: "TIMEOUT",
    message: "3 of 4 could not be asked: a; b; c",
    retriable: false,
  });
  const refused = [new KafkaError("UNKNOWN_TOPIC", "a"), new KafkaError("BROKER", "b")];
  expect(await thrownFor(...refused)).toMatchObject({ name: "KafkaError", code: "UNKNOWN_TOPIC" });
  expect(await thrownFor(new TypeError("a"), new TimeoutError("b"))).toMatchObject({ code: "BROKER" });
});
