import { expect, test } from "vitest";
import { isTransient, lastingLogCodes } from "../../../src/driver/native-errors.js";
import { AuthenticationError, AuthorizationError, ConnectionError, KafkaError } from "../../../src/errors.js";

test.each([
  [new ConnectionError("nobody there"), true, true],
  [new KafkaError("BROKER", "not the leader"), true, true],
  [new KafkaError("UNKNOWN_TOPIC", "a broker that has just started"), true, false],
  [new KafkaError("CLOSED", "closed"), true, false],
  [new AuthorizationError("no right"), false, false],
  [new AuthenticationError("wrong password"), false, false],
  [new TypeError("a mistake"), false, false],
])("%s may pass: %s, and for the question where a log is: %s", (error, passes, passesForLog) => {
  expect(isTransient(error)).toBe(passes);
  expect(isTransient(error, lastingLogCodes)).toBe(passesForLog);
});
