import { DeliveryError, TransactionOutcomeUnknownError } from "../errors.js";
import type { EncodedHeaders } from "../serde/headers.js";
import type { SendActivity, SendEnded } from "../telemetry/activities.js";
import type { ClientTelemetry } from "../telemetry/client-telemetry.js";
import type { AnyTopic, ProducerRecord } from "../topic.js";

/** What telemetry is told of a call of `send`. */
export function sendActivity(
  { name }: AnyTopic,
  input: ProducerRecord<AnyTopic> | readonly ProducerRecord<AnyTopic>[],
  isTransactional: boolean,
): SendActivity {
  if (Array.isArray(input)) return { topic: name, batch: input.length, isTombstone: false, isTransactional };
  // What is no record at all is refused when it is encoded.
  const record = input as ProducerRecord<AnyTopic> | null | undefined;
  const isTombstone = record?.value === null;
  return { topic: name, batch: undefined, key: record?.key, isTombstone, isTransactional };
}

/**
 * Makes a call of `send` and tells telemetry of it. `send` is given the headers to add to each record, `endedOf`
 * tells how many were sent of a call that succeeded.
 */
export async function observeSend<Result>(
  telemetry: ClientTelemetry,
  activity: SendActivity,
  send: (headers: EncodedHeaders | undefined) => Promise<Result>,
  endedOf: (result: Result) => Omit<SendEnded, "error">,
): Promise<Result> {
  const operation = telemetry.onSend(activity);
  try {
    const result = await send(operation.headers);
    operation.end(endedOf(result));
    return result;
  } catch (error) {
    operation.end({ ...countsOf(error), error });
    throw error;
  }
}

/** Only a `DeliveryError` comes after records were sent. */
function countsOf(error: unknown): { readonly sent: number; readonly failed: number } {
  if (!(error instanceof DeliveryError)) return { sent: 0, failed: 0 };
  const { acknowledged, results } = error;
  return { sent: acknowledged, failed: Math.max(0, results.length - acknowledged) };
}

/** Runs a transaction as a part of which its callback is called, and tells telemetry of it. */
export async function observeTransaction<Result>(
  telemetry: ClientTelemetry,
  transactionalId: string,
  transact: () => Promise<Result>,
): Promise<Result> {
  const operation = telemetry.onTransaction({ transactionalId });
  try {
    const result = await operation.run(transact);
    operation.end({ outcome: "committed" });
    return result;
  } catch (error) {
    const isUnknown = error instanceof TransactionOutcomeUnknownError;
    operation.end({ error, outcome: isUnknown ? "unknown" : "aborted" });
    throw error;
  }
}
