import { expect, test } from "vitest";
import { outcomeOf } from "../../../src/driver/native-admin.js";
import { isTransient, lastingLogCodes } from "../../../src/driver/native-errors.js";

const partition = { topic: "counts.changelog", partition: 4 };

test("an offset that was told is the outcome, also none (-1) and the first (0)", () => {
  for (const offset of [-1, 0, 7])
    expect(outcomeOf("offsets", partition, offset)).toEqual({ ...partition, offset });
});

test("an offset whose leader did not answer is no offset: the question may be asked again", () => {
  // librdkafka gives -1001 (invalid) without an error where the request to one of several leaders failed.
  const { error } = outcomeOf("offsets", partition, -1001);
  expect(error).toMatchObject({ code: "TIMEOUT", ...partition });
  expect(isTransient(error, lastingLogCodes)).toBe(true);
});

test("a broker's own error comes first", () => {
  const error = { code: 3, message: "Broker: Unknown topic or partition" };
  expect(outcomeOf("offsets", { ...partition, error }, -1001).error).toMatchObject({ code: "UNKNOWN_TOPIC" });
});
