import type { NativeOffset } from "../driver/native.js";
import type { CommitActivity, TransactionEnded } from "../telemetry/activities.js";
import type { ClientTelemetry } from "../telemetry/client-telemetry.js";
import { TransactionFailure } from "../transactions/transaction-failure.js";
import type { ResolvedProcessorOptions } from "./options.js";

/** Commits a transaction with its offsets; with telemetry, tells what became of it. */
export async function observedCommit(
  telemetry: ClientTelemetry | undefined,
  activity: () => CommitActivity,
  commit: () => Promise<void>,
): Promise<void> {
  const operation = telemetry?.onCommit(activity());
  try {
    await commit();
    operation?.end({ outcome: "committed" });
  } catch (error) {
    operation?.end(failed(error));
    throw error;
  }
}

/** What telemetry is told of a commit with these offsets. */
export function commitActivity(
  { consumer, transaction }: ResolvedProcessorOptions,
  offsets: readonly NativeOffset[],
): () => CommitActivity {
  return () => ({
    groupId: consumer.groupId,
    topics: [...new Set(offsets.map(({ topic }) => topic))],
    transactionalId: transaction.transactionalId,
  });
}

/** What could not be committed is rolled back, unless the answer to the commit itself was lost. */
function failed(error: unknown): TransactionEnded {
  if (!(error instanceof TransactionFailure)) return { error, outcome: "unknown" };
  const { call, remedy, mayHaveHappened } = error;
  const isUnknown = call === "commit" && remedy !== "abort" && mayHaveHappened;
  return { error: error.error, outcome: isUnknown ? "unknown" : "aborted" };
}
