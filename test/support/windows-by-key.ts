import { defineTopic, defineWindowStore, integer, type Kafka, string, tumbling } from "typed-kafka";
import { differences } from "./counts-by-key.js";

const sizeMs = 1_000;
const graceMs = 1_000;

/** The store in which workers count the records of each key by the second. */
export const windowsByKey = defineWindowStore("windows", {
  value: integer(),
  window: tumbling({ sizeMs, graceMs }),
});

/** The timestamp of a record: most are of now, some come late within the grace, and some too late. */
export function timestampOf(number: number): number {
  if (number % 11 === 0) return Date.now() - 2 * (sizeMs + graceMs);
  return number % 7 === 0 ? Date.now() - graceMs / 2 : Date.now();
}

/** How many windows differ from those that the input log gives, computed at once, and how many records were late. */
export async function wrongWindows(
  kafka: Kafka,
  topics: { readonly inputs: readonly string[]; readonly windows: string; readonly groupId: string },
): Promise<{ readonly changelog: number; readonly sent: number; readonly late: number }> {
  const { expected, open, late } = await batchOf(kafka, topics.inputs[0] ?? "");
  const folded = new Map<string, number>();
  for await (const { key, value } of kafka.read(windowsByKey.changelog(topics.groupId))) {
    const id = `${key?.key}@${key?.start}`;
    if (value === null) folded.delete(id);
    else folded.set(id, value);
  }
  const sent = new Map<string, number>();
  for await (const { key, value } of kafka.read(defineTopic(topics.windows, { value: string() }))) {
    const [start = "", count = ""] = value.split(":");
    const id = `${key}@${start}`;
    sent.set(id, sent.has(id) ? NaN : Number(count));
  }
  return { changelog: differences(open, folded), sent: differences(expected, sent), late };
}

async function batchOf(
  kafka: Kafka,
  input: string,
): Promise<{
  readonly expected: ReadonlyMap<string, number>;
  readonly open: ReadonlyMap<string, number>;
  readonly late: number;
}> {
  const counts = new Map<string, { count: number; readonly partition: number; readonly closesAt: number }>();
  const times = new Map<number, number>();
  let late = 0;
  for await (const { key, partition, timestamp } of kafka.read(defineTopic(input, { value: string() }))) {
    const time = Math.max(times.get(partition) ?? 0, timestamp);
    times.set(partition, time);
    const start = timestamp - (timestamp % sizeMs);
    const closesAt = start + sizeMs + graceMs;
    const window = counts.get(`${key}@${start}`);
    if (time >= closesAt) late += 1;
    else if (window !== undefined) window.count += 1;
    else counts.set(`${key}@${start}`, { count: 1, partition, closesAt });
  }
  const expected = new Map<string, number>();
  const open = new Map<string, number>();
  for (const [id, { count, partition, closesAt }] of counts)
    (closesAt <= (times.get(partition) ?? 0) ? expected : open).set(id, count);
  return { expected, open, late };
}
