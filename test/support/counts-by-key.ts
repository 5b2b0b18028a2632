import { defineStore, defineTopic, integer, type Kafka, string } from "typed-kafka";

/** The store in which workers count the records of each key. */
export const countsByKey = defineStore("counts", { value: integer() });

/**
 * How many keys have another count than the input logs have records of them: in the changelog, folded, and in the values
 * that were sent, which must go up by one from the first to the last.
 */
export async function wrongCounts(
  kafka: Kafka,
  topics: { readonly inputs: readonly string[]; readonly output: string; readonly groupId: string },
): Promise<{ readonly changelog: number; readonly sent: number }> {
  const { inputs, output, groupId } = topics;
  const expected = new Map<string, number>();
  for (const input of inputs)
    for await (const { key } of kafka.read(defineTopic(input, { value: string() })))
      expected.set(key ?? "", (expected.get(key ?? "") ?? 0) + 1);
  const folded = new Map<string, number>();
  for await (const { key, value } of kafka.read(countsByKey.changelog(groupId))) {
    if (value === null) folded.delete(key ?? "");
    else folded.set(key ?? "", value);
  }
  const sent = new Map<string, number>();
  for await (const { key, value } of kafka.read(defineTopic(output, { value: string() }))) {
    const count = Number(value.split(":").at(-1));
    // One that does not follow from the one before leaves a count that is wrong for good.
    sent.set(key ?? "", count === (sent.get(key ?? "") ?? 0) + 1 ? count : NaN);
  }
  return { changelog: differences(expected, folded), sent: differences(expected, sent) };
}

/** How many entries only one of two maps has, or has otherwise. */
export function differences(
  expected: ReadonlyMap<string, number>,
  found: ReadonlyMap<string, number>,
): number {
  return (
    [...expected].filter(([key, count]) => found.get(key) !== count).length +
    [...found.keys()].filter((key) => !expected.has(key)).length
  );
}
