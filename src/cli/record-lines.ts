import type { ConsumerRecord } from "../record.js";
import { UsageError } from "./command.js";
import type { Decode } from "./decoding.js";
import { clean, escaped, plainBytes, textOf, timeOf } from "./text.js";

type Bytes = ConsumerRecord<Buffer | null, Buffer>;

/** A record with its parts decoded. */
interface DecodedRecord {
  readonly record: Bytes;
  /** As a text. */
  readonly key: string | null;
  readonly value: string | null;
  /** As JSON. */
  readonly json: string;
}

/** A record as it is printed. */
export type Line = (record: DecodedRecord) => string;

/** Decodes the parts of a record. */
export async function lineOf(record: Bytes, decode: Decode | undefined): Promise<DecodedRecord> {
  const [key, value] = [await partOf(record.key, decode), await partOf(record.value, decode)];
  const { topic, partition, offset, timestamp, rawHeaders } = record;
  const headers = rawHeaders.map(([name, bytes]) => [name, plainBytes(bytes)]);
  const where = JSON.stringify({ topic, partition, offset, timestamp, headers }).slice(0, -1);
  return {
    record,
    key: key.text,
    value: value.text,
    json: escaped(`${where},"key":${key.json},"value":${value.json}}`),
  };
}

async function partOf(bytes: Buffer | null, decode: Decode | undefined) {
  if (bytes === null) return { text: null, json: "null" };
  const decoded = await decode?.(bytes);
  if (decoded === undefined) return { text: textOf(bytes), json: JSON.stringify(plainBytes(bytes)) };
  return { text: decoded.json, json: decoded.json };
}

interface Formatting {
  readonly json?: boolean | undefined;
  readonly format?: string | undefined;
  readonly "key-delimiter"?: string | undefined;
  readonly isColoured: boolean;
}

/** How records are printed. @throws `UsageError` where two ways are asked for */
export function formatOf({ json = false, format, "key-delimiter": delimiter, isColoured }: Formatting): Line {
  const asked = [
    json ? "--json" : "",
    format === undefined ? "" : "--format",
    delimiter === undefined ? "" : "-K",
  ];
  const ways = asked.filter((way) => way !== "");
  if (ways.length > 1) throw new UsageError(`${ways.join(" and ")} contradict each other`);
  if (json) return (record) => record.json;
  if (delimiter !== undefined) return ({ key, value }) => `${key ?? ""}${delimiter}${value ?? ""}`;
  if (format !== undefined) return (record) => formatted(format, record);
  return ({ record, key, value }) => {
    const { partition, offset, timestamp } = record;
    const where = `${partition}/${offset}  ${timeOf(timestamp)}`;
    return `${isColoured ? dimmed(where) : where}  ${clean(key ?? "(none)")}  ${clean(value ?? "(none)")}`;
  };
}

const dimmed = (text: string): string => `\u001B[2m${text}\u001B[22m`;

const wordPattern = /%(.)|\\([nt])/gs;

function formatted(format: string, { record, key, value }: DecodedRecord): string {
  const words: Readonly<Record<string, () => string>> = {
    t: () => record.topic,
    p: () => String(record.partition),
    o: () => String(record.offset),
    T: () => String(record.timestamp),
    k: () => key ?? "",
    s: () => value ?? "",
    K: () => String(record.key?.length ?? -1),
    S: () => String(record.value?.length ?? -1),
    h: () => record.rawHeaders.map(([name, bytes]) => `${name}=${textOf(bytes)}`).join(","),
    "%": () => "%",
  };
  const text = format.replace(wordPattern, (all: string, word?: string, escaped?: string) => {
    if (escaped !== undefined) return escaped === "n" ? "\n" : "\t";
    return word === undefined || words[word] === undefined ? all : words[word]();
  });
  // Each line is ended anyway.
  return text.endsWith("\n") ? text.slice(0, -1) : text;
}
