import type { Ended, ProcessActivity, ProcessedRecord } from "../telemetry/activities.js";
import type { ClientTelemetry, WatchedOperation } from "../telemetry/client-telemetry.js";
import { type HandlerContext, isPromise } from "./delivery.js";

/** The handler of `run`; with telemetry, one that reports each of its calls. */
export function observedHandler(
  telemetry: ClientTelemetry | undefined,
  groupId: string,
  handler: (record: never, context: HandlerContext) => unknown,
): (record: never, context: HandlerContext) => unknown {
  if (telemetry === undefined) return handler;
  return (record, context) =>
    observeCall(telemetry, { groupId, records: [record], isBatch: false, attempt: context.attempt }, () =>
      handler(record, context),
    );
}

/** The handler of `runBatch`; with telemetry, one that reports each of its calls. */
export function observedBatchHandler(
  telemetry: ClientTelemetry | undefined,
  groupId: string,
  handler: (records: never, context: HandlerContext) => unknown,
): (records: never, context: HandlerContext) => unknown {
  if (telemetry === undefined) return handler;
  return (records, context) =>
    observeCall(
      telemetry,
      {
        groupId,
        records: records as readonly ProcessedRecord[],
        isBatch: true,
        attempt: context.attempt,
      },
      () => handler(records, context),
    );
}

function observeCall(telemetry: ClientTelemetry, activity: ProcessActivity, call: () => unknown): unknown {
  const operation = telemetry.onProcess(activity);
  let returned: unknown;
  try {
    returned = operation.run(call);
  } catch (error) {
    operation.end({ error });
    throw error;
  }
  if (isPromise(returned)) return settled(operation, returned);
  operation.end({});
  return returned;
}

async function settled(operation: WatchedOperation<Ended>, returned: PromiseLike<unknown>): Promise<unknown> {
  try {
    const result = await returned;
    operation.end({});
    return result;
  } catch (error) {
    operation.end({ error });
    throw error;
  }
}

/** The iterator of a `for await`; with telemetry, one that reports how long the body had each record. */
export function observedIterator<Item>(
  telemetry: ClientTelemetry | undefined,
  groupId: string,
  iterator: AsyncIterableIterator<Item>,
): AsyncIterableIterator<Item> {
  if (telemetry === undefined) return iterator;
  let inHand: WatchedOperation<Ended> | undefined;
  const putDown = (): void => {
    inHand?.end({});
    inHand = undefined;
  };
  const observed: AsyncIterableIterator<Item> = {
    next: async () => {
      putDown();
      const step = await iterator.next();
      putDown();
      if (step.done !== true)
        inHand = telemetry.onProcess({
          groupId,
          records: [step.value as ProcessedRecord],
          isBatch: false,
          attempt: 1,
        });
      return step;
    },
    return: async () => {
      putDown();
      await iterator.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => observed,
  };
  return observed;
}
