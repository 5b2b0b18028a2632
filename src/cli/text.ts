import { isUtf8 } from "node:buffer";
import type { Terminal } from "./command.js";

const maxCell = 60;

/** Prints rows below a headline, each column as wide as it needs. Numbers stand at the right. */
export function printTable(
  { out, isColoured }: Pick<Terminal, "out" | "isColoured">,
  headline: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): void {
  const lines = [headline, ...rows].map((row) => row.map((cell) => clean(String(cell))));
  const widths = headline.map((_, column) => Math.max(...lines.map((line) => widthOf(line[column] ?? ""))));
  const isNumeric = headline.map((_, column) => rows.every((row) => typeof row[column] === "number"));
  for (const [index, line] of lines.entries()) {
    const cells = line.map((cell, column) => {
      const padding = " ".repeat((widths[column] ?? 0) - widthOf(cell));
      return isNumeric[column] === true ? padding + cell : cell + padding;
    });
    const text = cells.join("  ").trimEnd();
    out(isColoured && index === 0 ? `\u001B[1m${text}\u001B[22m` : text);
  }
}

const wide =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303F\uFF01-\uFF60]/u;

const signs = new Intl.Segmenter();

/** How many columns of a terminal a text takes: signs of East Asia and emoji take two. */
function widthOf(text: string): number {
  return [...signs.segment(text)].reduce((sum, { segment }) => sum + (wide.test(segment) ? 2 : 1), 0);
}

/** What others wrote must not move the cursor, nor colour the terminal. */
export function clean(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, " ");
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
