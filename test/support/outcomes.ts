import { DeliveryError } from "typed-kafka";
import { expect } from "vitest";

/** What the promise is rejected with; fails where it is not. */
export async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.fail("it succeeded"),
    (error: unknown) => error,
  );
}

/** As {@link errorOf}, of a send: what became of each record. */
export async function deliveryErrorOf(promise: Promise<unknown>): Promise<DeliveryError> {
  const error = await errorOf(promise);
  expect(error).toBeInstanceOf(DeliveryError);
  return error as DeliveryError;
}
