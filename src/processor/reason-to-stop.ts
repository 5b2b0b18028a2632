import { type KafkaError, ProducerFencedError } from "../errors.js";
import type { RolledBack } from "../transactions/transaction-failure.js";
import type { ResolvedProcessorOptions } from "./options.js";

/**
 * Why the processor cannot go on after a transaction that was rolled back; `undefined` where it can. `isDealtWith`: a
 * failure policy takes care of what would fail again.
 */
export function reasonToStop(
  { remedy, error, cause, isLasting }: RolledBack,
  { consumer, transaction }: Pick<ResolvedProcessorOptions, "consumer" | "transaction">,
  isDealtWith: boolean,
): KafkaError | undefined {
  if (remedy === "fenced")
    return new ProducerFencedError(
      `${transaction.transactionalId}: another live instance uses this transactional id; give every instance its own`,
      { cause: error, nativeCode: error.nativeCode, groupId: consumer.groupId },
    );
  if (remedy === "stop") return error;
  return isLasting && !isDealtWith ? cause : undefined;
}
