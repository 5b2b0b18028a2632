import { expect, test } from "vitest";
import { KafkaError } from "../../../src/errors.js";
import { observedCommit } from "../../../src/processor/observed-commit.js";
import { TransactionFailure } from "../../../src/transactions/transaction-failure.js";
import type { TransactionEnded } from "../../../src/telemetry/activities.js";
import { ClientTelemetry } from "../../../src/telemetry/client-telemetry.js";
import { silent } from "../../support/silent.js";

const refused = new KafkaError("BROKER", "no");
const activity = () => ({ groupId: "g", topics: ["t"], transactionalId: "x" });

test.each([
  ["is rolled back", new TransactionFailure("commit", "abort", refused, true), "aborted"],
  ["was never asked for", new TransactionFailure("sendOffsets", "renew", refused, true), "aborted"],
  ["was refused at once", new TransactionFailure("commit", "fenced", refused, false), "aborted"],
  ["may have happened", new TransactionFailure("commit", "renew", refused, true), "unknown"],
] as const)("a commit that %s is told, and its failure thrown", async (_, failure, outcome) => {
  const ended: TransactionEnded[] = [];
  const onCommit = () => ({ end: (end: TransactionEnded) => void ended.push(end) });
  const telemetry = new ClientTelemetry({ onCommit }, { clientId: "c" }, silent);
  const committing = observedCommit(telemetry, activity, () => Promise.reject(failure));
  await expect(committing).rejects.toBe(failure);
  expect(ended).toEqual([{ error: refused, outcome }]);
});

test("without telemetry it is only made", async () => {
  let commits = 0;
  await observedCommit(
    undefined,
    () => {
      throw new Error("nobody asks");
    },
    () => Promise.resolve(void (commits += 1)),
  );
  expect(commits).toBe(1);
});
