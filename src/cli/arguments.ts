import { parseArgs, type ParseArgsConfig } from "node:util";
import { UsageError } from "./command.js";

type Options = NonNullable<ParseArgsConfig["options"]>;
type Parsed<Given extends Options> = ReturnType<
  typeof parseArgs<{ readonly args: string[]; readonly options: Given; readonly allowPositionals: true }>
>;

/**
 * What the words after a command say. `-o -10` is an option and its value, which `parseArgs` takes for two options.
 *
 * @throws `UsageError`, or a `TypeError` of `parseArgs`, for an option that there is not
 */
export function argumentsOf<const Given extends Options>(
  args: readonly string[],
  options: Given,
): Parsed<Given> {
  const joined: string[] = [];
  for (const word of args) {
    const before = joined.at(-1);
    if (before !== undefined && /^-\d+$/.test(word) && takesValue(options, before))
      joined[joined.length - 1] = before.startsWith("--") ? `${before}=${word}` : `${before}${word}`;
    else joined.push(word);
  }
  for (const word of joined)
    if (/^--(sasl-)?password\b/.test(word))
      throw new UsageError("passwords are no options: set KAFKA_SASL_PASSWORD in the environment");
  return parseArgs({ args: joined, options, allowPositionals: true });
}

function takesValue(options: Options, word: string): boolean {
  return Object.entries(options).some(
    ([name, { type, short }]) => type === "string" && (word === `--${name}` || word === `-${short ?? ""}`),
  );
}

/**
 * What is given once: as the word behind the command, or with its flag.
 *
 * @throws `UsageError` where it is given twice, or there are words too many
 */
export function subjectOf(
  flag: string,
  words: readonly string[],
  given: string | undefined,
): string | undefined {
  const [word, ...more] = words;
  if (more.length > 0) throw new UsageError(`expected one word, got ${words.length}`);
  if (word !== undefined && given !== undefined && word !== given)
    throw new UsageError(`${flag} is given twice: as ${word} and as ${given}`);
  return word ?? given;
}

/** What {@link subjectOf} finds, which must be there. */
export function requiredSubjectOf(flag: string, words: readonly string[], given: string | undefined): string {
  const subject = subjectOf(flag, words, given);
  if (subject === undefined || subject === "") throw new UsageError(`${flag} is missing`);
  return subject;
}

/** A whole number from 0. @throws `UsageError` */
export function numberOf(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(number))
    throw new UsageError(`--${flag} ${text}: expected a whole number`);
  return number;
}

/** Where in a log something begins or ends. */
export type Position =
  | "earliest"
  | "latest"
  | { readonly offset: number }
  /** So many before the end. */
  | { readonly last: number }
  | { readonly time: Date };

/** Where the last so many offsets of a log begin. */
export function lastOf(
  { start, end }: { readonly start: number; readonly end: number },
  count: number,
): number {
  return Math.max(start, end - count);
}

/**
 * `beginning`, `end`, an offset, `-N` for the last N, or a time: ISO 8601, or kcat's `s@` with milliseconds.
 *
 * @throws `UsageError`
 */
export function positionOf(flag: string, text: string): Position {
  if (text === "beginning" || text === "earliest") return "earliest";
  if (text === "end" || text === "latest") return "latest";
  if (/^\d+$/.test(text) && Number.isSafeInteger(Number(text))) return { offset: Number(text) };
  if (/^-[1-9]\d*$/.test(text)) return { last: Number(text.slice(1)) };
  const ms = /^[se]@(\d+)$/.exec(text)?.[1];
  const isIso = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/.test(text);
  const time = ms === undefined ? new Date(isIso ? text : Number.NaN) : new Date(Number(ms));
  if (Number.isNaN(time.getTime()) || time.getTime() < 0)
    throw new UsageError(
      `--${flag} ${text}: expected beginning, end, an offset, -N, or a time such as 2026-01-31T12:00:00Z`,
    );
  return { time };
}
