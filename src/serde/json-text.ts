import { SerdeFailure } from "./failure.js";
import type { SerdeContext } from "./serde.js";

/** The JSON text of a value that holds a -0, which `JSON.stringify` writes as 0. */
class ExactJson {
  readonly text: string;
  readonly negativeZeroAt: readonly PropertyKey[];

  constructor(text: string, negativeZeroAt: readonly PropertyKey[]) {
    this.text = text;
    this.negativeZeroAt = negativeZeroAt;
  }
}

/** Stands for a value that holds a -0, from where it is checked to where it is written. */
export function exactJson(wire: unknown, negativeZeroAt: readonly PropertyKey[]): unknown {
  return new ExactJson(textOf(wire), negativeZeroAt);
}

/**
 * The JSON of a value that a schema gave.
 *
 * @throws `SerdeFailure` for a key that holds a -0: it equals 0, but would be another key to Kafka
 */
export function toJson(wire: unknown, part: SerdeContext["part"]): string {
  if (wire instanceof ExactJson) {
    if (part === "value") return wire.text;
    throw SerdeFailure.ofIssues([
      { message: "-0 would be another key than 0: use 0", path: wire.negativeZeroAt },
    ]);
  }
  const text = stringify(wire);
  if (text === undefined) throw new SerdeFailure("the value has no JSON");
  return text;
}

/** A copy of a value that is written later, of which the original may change until then. */
export function copyJson(wire: unknown): unknown {
  return wire instanceof ExactJson ? wire : parseJson(toJson(wire, "value"));
}

/** The value of a JSON text. A byte order mark before it, as .NET and Java may write one, is no part of it. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text.startsWith(byteOrderMark) ? text.slice(1) : text);
  } catch (error) {
    throw new SerdeFailure(`not JSON: ${error instanceof Error ? error.message : String(error)}`, [], {
      cause: error,
    });
  }
}

const byteOrderMark = "\uFEFF";

/** What its declaration leaves out: it gives `undefined` for what has no JSON. */
const stringify: (value: unknown) => string | undefined = JSON.stringify;

/** As `JSON.stringify`, but with the sign of a -0. */
function textOf(value: unknown): string {
  if (Object.is(value, -0)) return "-0";
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(textOf).join(",")}]`;
  const properties = Object.entries(value).filter(([, property]) => property !== undefined);
  return `{${properties.map(([name, property]) => `${JSON.stringify(name)}:${textOf(property)}`).join(",")}}`;
}
