import type { RawHeaders } from "../record.js";

/** Headers by their names without the prefix. */
export type HeaderFields = ReadonlyMap<string, string>;

/** No field that the library writes is longer; a longer one was written by something else, and is ignored. */
const maxFieldBytes = 4_096;
const truncated = "…";

/**
 * Headers with one block of the library's own after them: `<prefix>.version`, then the fields. The record's headers
 * stay as they were, blocks of earlier failures included.
 */
export function withBlock(
  headers: RawHeaders,
  prefix: string,
  version: number,
  fields: readonly (readonly [string, string])[],
): RawHeaders {
  const block = [["version", String(version)] as const, ...fields];
  return [...headers, ...block.map(([name, value]) => [`${prefix}.${name}`, Buffer.from(value)] as const)];
}

/**
 * Splits off the last block of this prefix and version; `undefined` where there is none. Others may have added
 * headers behind it: those are no part of it and stay.
 */
export function splitBlock(
  headers: RawHeaders,
  prefix: string,
  version: number,
): { readonly fields: HeaderFields; readonly rest: RawHeaders } | undefined {
  const first = headers.findLastIndex(([name]) => name === `${prefix}.version`);
  if (first === -1 || textOf(headers[first]?.[1]) !== String(version)) return undefined;
  const fields = new Map<string, string>();
  const rest = headers.slice(0, first);
  for (const header of headers.slice(first)) {
    const [name, value] = header;
    if (!name.startsWith(`${prefix}.`)) rest.push(header);
    else {
      const text = textOf(value);
      if (text !== undefined) fields.set(name.slice(prefix.length + 1), text);
    }
  }
  return { fields, rest };
}

/** A field that must be a whole number from 0; `undefined` for anything else. */
export function wholeNumber(text: string | undefined): number | undefined {
  if (text === undefined || !/^[0-9]{1,16}$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** A field that must be a record's timestamp. Producers write what they like there: any whole number will do. */
export function timestampOf(text: string | undefined): number | undefined {
  return text === undefined || !/^-?[0-9]{1,20}$/.test(text) ? undefined : Number(text);
}

/** A text of at most so many bytes of UTF-8, cut between characters. */
export function bounded(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return text;
  let end = maxBytes - Buffer.byteLength(truncated);
  // Not within a character: its further bytes begin with the bits 10.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end).toString() + truncated;
}

function textOf(value: Buffer | null | undefined): string | undefined {
  return value === null || value === undefined || value.length > maxFieldBytes ? undefined : value.toString();
}
