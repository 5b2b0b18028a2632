// What every peer sends and reads, so that all of them do the same work.
import { z } from "zod";

/** The one schema. `note` pads a record to the size that is asked for. */
export const schema = z.object({
  id: z.number().int(),
  name: z.string(),
  course: z.string(),
  when: z.number(),
  ok: z.boolean(),
  note: z.string(),
});

const validate = schema["~standard"].validate;

/** The value, checked: the same call that the library makes. */
export function check(value) {
  const result = validate(value);
  if (result.issues !== undefined) throw new Error("a record does not fit the schema");
  return result.value;
}

export const encode = (value) => JSON.stringify(check(value));
export const decode = (bytes) => check(JSON.parse(bytes.toString()));
export const keyOf = (value) => String(value.id);

/** Different values whose JSON is `size` bytes. The text is like text: zstd makes it a third. */
export function makeValues(size = 100, count = size < 5_000 ? 10_000 : 1_000) {
  return Array.from({ length: count }, (_, id) => {
    const value = {
      id,
      name: `student ${id}`,
      course: "Data Engineering",
      when: id * 1000,
      ok: true,
      note: "",
    };
    value.note = textOf(id, Math.max(0, size - JSON.stringify(value).length));
    return value;
  });
}

const words = (
  "record topic offset broker commit leader replica segment index time stream group member lag seek batch " +
  "value header schema field lecture course student campus grade term award thesis paper library question"
).split(" ");

function textOf(seed, length) {
  let state = seed * 2_654_435_761 + 1;
  let text = "";
  while (text.length < length) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    text += `${words[state >>> 27]}${(state >>> 8) % 10} `;
  }
  return text.slice(0, length);
}

/** Hands a batch's records to `handle`, up to `concurrency` at a time, those of one key one after the other. */
export async function byKey(records, keyOfRecord, concurrency, handle) {
  const lanes = new Map();
  for (const record of records) {
    const key = keyOfRecord(record);
    const lane = lanes.get(key);
    if (lane === undefined) lanes.set(key, [record]);
    else lane.push(record);
  }
  const waiting = lanes.values();
  const work = async () => {
    for (const lane of waiting) for (const record of lane) await handle(record);
  };
  await Promise.all(Array.from({ length: concurrency }, work));
}
