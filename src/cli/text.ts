import { isUtf8 } from "node:buffer";
import Table from "cli-table3";
import type { Terminal } from "./command.js";

const maxCell = 60;

const borders =
  "top top-mid top-left top-right bottom bottom-mid bottom-left bottom-right left left-mid mid mid-mid right right-mid";

/** Room between the columns, and no lines. */
const chars = { ...Object.fromEntries(borders.split(" ").map((name) => [name, ""])), middle: "  " };

/** Prints rows below a headline, each column as wide as it needs. Numbers stand at the right. */
export function printTable(
  { out, isColoured }: Pick<Terminal, "out" | "isColoured">,
  headline: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): void {
  const isNumeric = headline.map((_, column) => rows.every((row) => typeof row[column] === "number"));
  const table = new Table({
    head: headline.map((title) => (isColoured ? `\u001B[1m${title}\u001B[22m` : title)),
    colAligns: isNumeric.map((isNumber) => (isNumber ? "right" : "left")),
    chars,
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [] },
  });
  table.push(...rows.map((row) => row.map((cell) => clean(String(cell)))));
  for (const line of table.toString().split("\n")) out(line.trimEnd());
}

/** What others wrote must not move the cursor, nor colour the terminal. */
export function clean(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, " ");
}

/** A value as JSON that a terminal shows as it is. */
export function jsonText(value: unknown, space?: number): string {
  return escaped(JSON.stringify(value, null, space));
}

/** The same JSON, with escapes for what would move the cursor, or show as other text than it is. */
export function escaped(json: string): string {
  const unit = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return json.replace(/[\u007f-\u009f\p{Cf}\u2028\u2029]/gu, (found) => found.split("").map(unit).join(""));
}

/** A count with its word: `1 record`, `2 records`. */
export function counted(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

/** Bytes as JSON has them: a text where they are UTF-8, else in base64. */
export function plainBytes(data: Buffer | null): string | { readonly base64: string } | null {
  if (data === null) return null;
  return isUtf8(data) ? data.toString() : { base64: data.toString("base64") };
}

/** Bytes as a line shows them. */
export function textOf(data: Buffer | null): string {
  if (data === null) return "(none)";
  return isUtf8(data) ? data.toString() : `base64:${data.toString("base64")}`;
}

/** A timestamp in ISO 8601. */
export function timeOf(ms: number): string {
  const date = new Date(ms);
  return ms < 0 || Number.isNaN(date.getTime()) ? "unknown" : date.toISOString();
}

/** A text as a table shows it that has no room for all of it; names are never cut. */
export function short(text: string): string {
  return text.length <= maxCell ? text : `${text.slice(0, maxCell - 1)}…`;
}
