import { defineTopic, integer, type Kafka } from "typed-kafka";

/**
 * Of numbers that are in a topic and not in its copy: where they are, and how far the group that copies has committed.
 * What it has committed is lost; the rest it still has to do.
 */
export async function missingCopies(
  kafka: Kafka,
  input: string,
  groupId: string,
  isMissing: (value: number) => boolean,
): Promise<string[]> {
  const committed = new Map<number, number>();
  for (const each of await kafka.admin().groupLag(groupId, input))
    committed.set(each.partition, each.committed ?? 0);
  const offsets = new Map<number, number[]>();
  for await (const { value, partition, offset } of kafka.read(defineTopic(input, { value: integer() }))) {
    if (!isMissing(value)) continue;
    const known = offsets.get(partition);
    if (known === undefined) offsets.set(partition, [offset]);
    else known.push(offset);
  }
  return [...offsets].map(([partition, missing]) => {
    const end = committed.get(partition) ?? 0;
    const lost = missing.filter((offset) => offset < end).length;
    return `${input}[${partition}]: ${missing.length} from ${missing[0]} to ${missing.at(-1)}, ${lost} of them before ${end}, which is committed`;
  });
}
