import { identifyAcrossCopies } from "../class-identity.js";
import type { Issue } from "../errors.js";

/**
 * What one of the library's serdes throws: the encoder makes a `SerializationError` of it, the decoder an
 * `InvalidRecordError`, both of which know the topic and the record.
 */
export class SerdeFailure extends Error {
  override readonly name = "SerdeFailure";
  /** The first of them. */
  readonly issues: readonly Issue[];
  /** How many there were. */
  readonly issueCount: number;

  constructor(message: string, issues: readonly Issue[] = [], options?: ErrorOptions) {
    super(message, options);
    // Schemas have one for each wrong element of an array, and whoever sent that may have sent a million.
    this.issues = issues.slice(0, issuesKept);
    this.issueCount = issues.length;
  }

  static ofIssues(issues: readonly Issue[]): SerdeFailure {
    return new SerdeFailure(describeIssues("", issues, issues.length), issues);
  }
}

identifyAcrossCopies({ SerdeFailure });

const issuesShown = 5;
const issuesKept = 100;

/** What was wrong with a part of a record, in words that begin with the path of the field. */
export function describeFailure(part: string, thrown: unknown): string {
  if (thrown instanceof SerdeFailure) {
    const { issues, issueCount } = thrown;
    return issues.length > 0 ? describeIssues(part, issues, issueCount) : `${part}: ${thrown.message}`;
  }
  return `${part}: ${describeThrown(thrown)}`;
}

/** The issues a schema found, where a schema was what failed. */
export function issuesOf(thrown: unknown): readonly Issue[] {
  return thrown instanceof SerdeFailure ? thrown.issues : [];
}

/** What the user should see as the cause: what user code or a parser threw, not our own wrapping. */
export function causeOf(thrown: unknown): { readonly cause?: unknown } {
  if (!(thrown instanceof SerdeFailure)) return { cause: thrown };
  return thrown.cause === undefined ? {} : { cause: thrown.cause };
}

/** A short name for a value in a message: its type, and what it is where that helps. */
export function describeValue(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value !== "object") return `a ${typeof value}`;
  if (Array.isArray(value)) return "an array";
  if (Buffer.isBuffer(value)) return "a Buffer";
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return "an object";
  const name = Object.prototype.toString.call(value).slice("[object ".length, -1);
  return name === "Object" ? `a ${classNameOf(value)}` : `a ${name}`;
}

function classNameOf(value: object): string {
  const constructor: unknown = "constructor" in value ? value.constructor : undefined;
  return typeof constructor === "function" && constructor.name !== "" ? constructor.name : "object";
}

function describeIssues(part: string, issues: readonly Issue[], count: number): string {
  const shown = issues.slice(0, issuesShown).map((issue) => {
    const path = `${part}${formatPath(issue.path ?? [], part === "")}`;
    return path === "" ? issue.message : `${path}: ${issue.message}`;
  });
  if (count > issuesShown) shown.push(`and ${String(count - issuesShown)} more`);
  return shown.join("; ");
}

/** A path such as `.tags[0].name`, without its first dot where nothing comes before it. */
function formatPath(path: NonNullable<Issue["path"]>, first = false): string {
  let text = "";
  for (const segment of path) {
    const key = typeof segment === "object" ? segment.key : segment;
    if (typeof key === "number") text += `[${String(key)}]`;
    else if (typeof key === "string" && !/^[\w$-]+$/.test(key)) text += `[${JSON.stringify(key)}]`;
    else text += `${first && text === "" ? "" : "."}${String(key)}`;
  }
  return text;
}

function describeThrown(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message === "" ? thrown.name : thrown.message;
  return `threw ${describeValue(thrown)}`;
}
