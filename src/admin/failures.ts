import { KafkaError } from "../errors.js";

/**
 * Does something for each item, all of them even where some fail. One failure is thrown as it is; of
 * several, one error with the first one's code names them all and has them as its `cause`.
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
  if (first !== undefined && errors.length === 1) throw first;
  if (first !== undefined) {
    const message = `${errors.length} of ${items.length} ${what}: ${errors.map((error) => error.message).join("; ")}`;
    const code = first instanceof KafkaError ? first.code : "BROKER";
    const context =
      first instanceof KafkaError ? { nativeCode: first.nativeCode, retriable: first.retriable } : {};
    throw new KafkaError(code, message, { ...context, cause: new AggregateError(errors, message) });
  }
  return outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
}
