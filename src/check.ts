import { ConfigError } from "./errors.js";

/**
 * Refuses options that do not exist: a misspelt one would otherwise be ignored in silence.
 *
 * @param instead - what to say of a name that is known from elsewhere
 */
export function checkKnown(
  path: string,
  options: unknown,
  known: readonly string[],
  instead?: (name: string) => string | undefined,
): void {
  if (typeof options !== "object" || options === null || Array.isArray(options))
    throw new ConfigError(path, `expected an object of options, got ${kindOf(options)}`);
  for (const name of Object.keys(options)) {
    if (!known.includes(name))
      throw new ConfigError(
        `${path}.${name}`,
        instead?.(name) ?? `no such option; there are ${known.join(", ")}`,
      );
  }
}

/** A whole number within bounds, or the default where the option is absent. */
export function checkInteger(
  path: string,
  value: unknown,
  { min, max, otherwise }: { readonly min: number; readonly max: number; readonly otherwise?: number },
): number {
  if (value === undefined && otherwise !== undefined) return otherwise;
  if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max)
    throw new ConfigError(path, `expected a whole number from ${min} to ${max}, got ${describe(value)}`);
  return value;
}

/** One of a set of names, or the default where the option is absent. */
export function checkOneOf<const Name extends string>(
  path: string,
  value: unknown,
  names: readonly Name[],
  otherwise?: Name,
): Name {
  if (value === undefined && otherwise !== undefined) return otherwise;
  const found = names.find((name) => name === value);
  if (found === undefined)
    throw new ConfigError(path, `expected one of ${names.join(", ")}, got ${describe(value)}`);
  return found;
}

/**
 * A text that is not empty and that the native client takes as it is; `undefined` stays so. `show` is how the error
 * shows what is no text.
 */
export function checkText(path: string, value: unknown, show = describe): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "string" || value === "")
    throw new ConfigError(path, `expected a text that is not empty, got ${show(value)}`);
  const change = nativeChangeOf(value) ?? tooLong(value);
  if (change !== undefined) throw new ConfigError(path, change);
  return value;
}

/**
 * In Kafka's protocol most texts have 32,767 bytes at most. The native client writes longer ones all the same, at which
 * brokers close the connection, and it or they add to some: `-` and a UUID, or the text of an error.
 */
const maxTextBytes = 32_000;

/** Why Kafka's protocol cannot have this text; `undefined` where it can. Never shows the text. */
export function tooLong(text: string): string | undefined {
  const bytes = Buffer.byteLength(text);
  return bytes > maxTextBytes ? `has ${bytes} bytes, and Kafka takes ${maxTextBytes} at most` : undefined;
}

/**
 * What the native client would make of a text, without saying so; `undefined` where it takes it as it is. Never shows
 * the text, which may be a password. (Blanks behind it are kept.)
 */
export function nativeChangeOf(text: string): string | undefined {
  if (/^[ \t\n\v\f\r]/.test(text)) return "begins with a blank, which the native client drops: leave it out";
  return unsendableIn(text);
}

/** What of a text does not arrive in the native client, wherever it is passed. */
export function unsendableIn(text: string): string | undefined {
  if (text.includes("\0")) return "has a NUL character, where the native client ends it: leave it out";
  if (/\p{Surrogate}/u.test(text))
    return "has half a surrogate pair, for which there is no UTF-8: leave it out";
  return undefined;
}

/** A text that is not empty and must be there. */
export function checkRequiredText(path: string, value: unknown): string {
  const text = checkText(path, value);
  if (text === undefined) throw new ConfigError(path, "is required");
  return text;
}

/** A value as an error message shows it: short, and never the contents of an object. */
export function describe(value: unknown): string {
  if (typeof value === "string")
    return value.length > 60 ? `a text of ${value.length} characters` : JSON.stringify(value);
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "an array" : "an object";
  if (typeof value === "function") return "a function";
  return String(value);
}

/** The same where an object or a function belongs: a text in its place may be the password or the token for it. */
export function kindOf(value: unknown): string {
  return typeof value === "string" ? "a text" : describe(value);
}
