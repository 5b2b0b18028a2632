import { defineStore, defineTopic, integer, type Kafka, string } from "typed-kafka";

/** The store in which workers count the records of each key. */
export const countsByKey = defineStore("counts", { value: integer() });

/**
 * How many keys have another count than the input log has records of them: in the changelog, folded, and in the last
 * value that was sent for each.
 */
export async function wrongCounts(
  kafka: Kafka,
  { input, output, groupId }: { readonly input: string; readonly output: string; readonly groupId: string },
): Promise<{ readonly changelog: number; readonly sent: number }> {
  const expected = new Map<string, number>();
  for await (const { key } of kafka.read(defineTopic(input, { value: string() })))
    expected.set(key ?? "", (expected.get(key ?? "") ?? 0) + 1);
  const folded = new Map<string, number>();
  for await (const { key, value } of kafka.read(countsByKey.changelog(groupId))) {
    if (value === null) folded.delete(key ?? "");
    else folded.set(key ?? "", value);
  }
  const sent = new Map<string, number>();
  for await (const { key, value } of kafka.read(defineTopic(output, { value: string() })))
    sent.set(key ?? "", Number(value.split(":").at(-1)));
  const wrong = (found: ReadonlyMap<string, number>): number =>
    [...expected].filter(([key, count]) => found.get(key) !== count).length +
    [...found.keys()].filter((key) => !expected.has(key)).length;
  return { changelog: wrong(folded), sent: wrong(sent) };
}
