import { isPromise, type HandlerContext } from "../delivery/delivery.js";
import type { EncodedRecord, NativeHeader } from "../record.js";
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
      sends.push({ topic, record: copyOf(record) });
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

/**
 * The record with bytes of its own. It waits for its handler, and often for the next transaction, when `tx.send`
 * has long resolved, and a serde may have given the caller's own buffer, or one that it uses again: which one it
 * is cannot be seen. (A copy of 100 bytes takes a tenth of a microsecond.)
 */
export function copyOf(record: EncodedRecord): EncodedRecord {
  return {
    ...record,
    key: copyOfBytes(record.key),
    value: copyOfBytes(record.value),
    headers: record.headers?.map(copyOfHeader),
  };
}

/** An empty buffer is left as it is: it has nothing to change, and a copy without memory would be taken for null. */
function copyOfBytes(bytes: Buffer | null): Buffer | null {
  return bytes === null || bytes.length === 0 ? bytes : Buffer.from(bytes);
}

function copyOfHeader(header: NativeHeader): NativeHeader {
  const entries = Object.entries(header);
  if (entries.every(([, value]) => !Buffer.isBuffer(value))) return header;
  return Object.fromEntries(
    entries.map(([name, value]) => [name, Buffer.isBuffer(value) ? Buffer.from(value) : value]),
  );
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
