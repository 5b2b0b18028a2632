import { isPromise, type HandlerContext } from "../delivery/delivery.js";
import type { EncodedRecord } from "../record.js";
import type { ClientTelemetry } from "../telemetry/client-telemetry.js";
import type { TransactionRecord } from "../transactions/transaction-records.js";
import type { Encoders } from "../serde/encoders.js";
import { StatefulSends, type StatefulTransaction } from "./stateful-transaction.js";
import type { AnyStore } from "../state/store-definition.js";
import type { CallResult } from "./finished.js";
import type { TaskCall } from "./task-calls.js";

/**
 * The handler as the delivery calls it: its result is what it sent. That goes into the transaction only
 * once the handler has succeeded, so that one which fails leaves nothing behind.
 */
export function collectingSends<Given>(
  handler: (given: Given, tx: StatefulTransaction<AnyStore>, context: HandlerContext) => unknown,
  encoders: Encoders,
  telemetry: ClientTelemetry | undefined,
  begin?: (given: Given, context: HandlerContext) => TaskCall | Promise<TaskCall>,
): (given: Given, context: HandlerContext) => CallResult | Promise<CallResult> {
  return (given, context) => {
    const call = begin?.(given, context);
    return call instanceof Promise
      ? call.then((begun) => run(given, context, begun))
      : run(given, context, call);
  };

  function run(
    given: Given,
    context: HandlerContext,
    call: TaskCall | undefined,
  ): CallResult | Promise<CallResult> {
    const sends: TransactionRecord[] = [];
    const pass = (topic: string, record: EncodedRecord): undefined => {
      sends.push({ topic, record });
    };
    const tx = new StatefulSends(encoders, pass, telemetry, call?.store);
    try {
      const returned = handler(given, tx, context);
      if (isPromise(returned)) return finishLater(returned, tx, sends, call);
      const finishing = tx.finish();
      return finishing === undefined
        ? { sends, changes: call?.succeed() }
        : finishLater(finishing, undefined, sends, call);
    } catch (error) {
      call?.fail();
      throw error;
    }
  }
}

async function finishLater(
  returned: PromiseLike<unknown>,
  tx: StatefulSends | undefined,
  sends: readonly TransactionRecord[],
  call: TaskCall | undefined,
): Promise<CallResult> {
  try {
    await returned;
    await tx?.finish();
  } catch (error) {
    tx?.end();
    call?.fail();
    throw error;
  }
  return { sends, changes: call?.succeed() };
}
