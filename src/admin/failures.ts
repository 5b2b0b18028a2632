import {
  AuthenticationError,
  AuthorizationError,
  ClosedError,
  ConnectionError,
  KafkaError,
  TimeoutError,
} from "../errors.js";

/**
 * Does something for each item, all of them even where some fail. One failure is thrown as it is; of
 * several, one error names them all and has them as its `cause`.
 */
export async function failTogether<Item, Result>(
  what: string,
  items: readonly Item[],
  run: (item: Item) => Result | Promise<Result>,
): Promise<readonly Result[]> {
  const outcomes = await Promise.allSettled(items.map(async (item) => run(item)));
  const errors = outcomes.flatMap((outcome) =>
    outcome.status === "rejected" ? [outcome.reason as Error] : [],
  );
  const [first] = errors;
  if (first === undefined)
    return outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
  throw errors.length === 1 ? first : joined(first, errors, `${errors.length} of ${items.length} ${what}`);
}

const subclasses = [AuthenticationError, AuthorizationError, ClosedError, ConnectionError, TimeoutError];

/** One error for several: of the class that all have, or else a plain one with the first one's code. */
function joined(first: Error, errors: readonly Error[], what: string): KafkaError {
  const message = `${what}: ${errors.map((error) => error.message).join("; ")}`;
  const { code, nativeCode } = first instanceof KafkaError ? first : new KafkaError("BROKER", first.message);
  const retriable = errors.every((error) => error instanceof KafkaError && error.retriable);
  const context = { nativeCode, retriable, cause: new AggregateError(errors, message) };
  const Shared = subclasses.find((Subclass) => errors.every((error) => error instanceof Subclass));
  return Shared === undefined ? new KafkaError(code, message, context) : new Shared(message, context);
}
