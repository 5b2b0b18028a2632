import { expect, test } from "vitest";
import { InvalidRecordError } from "../../../src/errors.js";
import { PermanentError } from "../../../src/failure/handler-errors.js";
import { observedPolicy } from "../../../src/failure/observed-policy.js";
import { resolveFailureOptions } from "../../../src/failure/options.js";
import type { FailureEvent } from "../../../src/telemetry/activities.js";
import { ClientTelemetry } from "../../../src/telemetry/client-telemetry.js";
import { silent } from "../../support/silent.js";
import { rawRecord } from "../group/records.js";

test("telemetry is told what becomes of each failure, by the source topic", () => {
  const options = resolveFailureOptions(
    {
      retry: { attempts: 2, initialDelayMs: 1 },
      retryTopics: { delaysMs: [1] },
      deadLetter: true,
      onInvalid: "skip",
    },
    "g",
    { topics: ["topic"] },
  );
  if (options === undefined) throw new Error("no policy");
  const events: FailureEvent[] = [];
  const telemetry = new ClientTelemetry(
    { onFailure: (event) => events.push(event) },
    { clientId: "c" },
    silent,
  );
  const policy = observedPolicy(telemetry, options);
  const raw = rawRecord(0);
  const error = new Error("mine");
  const invalid = new InvalidRecordError("no", {
    topic: "topic",
    partition: 0,
    offset: 0,
    part: "value",
    raw: { key: null, value: null, headers: [] },
  });
  expect(policy.onFailure({ raw, error, attempt: 1 }).action).toBe("retry");
  const moved = policy.onFailure({ raw, error, attempt: 2 });
  policy.onFailure({ raw, error: new PermanentError("never"), attempt: 1 });
  policy.onFailure({ raw, error: invalid, attempt: 0 });
  policy.onFailure({ raw: { ...raw, topic: "topic.g.retry-1" }, error: invalid, attempt: 0 });
  policy.onBatchFailure(raw, error, 1);
  expect(moved).toMatchObject({ action: "move", to: "retry-topic" });
  expect(events).toEqual(
    (
      [
        ["handler", "retry"],
        ["handler", "retry-topic"],
        ["handler", "dead-letter"],
        ["invalid", "skip"],
        ["invalid", "skip"],
        ["handler", "retry"],
      ] as const
    ).map(([reason, action]) => ({ groupId: "g", topic: "topic", reason, action })),
  );
});
