import { inspect } from "node:util";

/** What a log line carries besides its text: plain values, safe to serialize; an error is a text with its stack. */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * Where the library writes what no caller is waiting for: rebalances, reconnects, slow handlers. winston and
 * `console` have this shape; pino takes the fields first. What a logger throws, or rejects with, is ignored: it
 * changes nothing for the clients.
 *
 * @example
 * ```ts
 * const log = pino();
 * const logger: Logger = {
 *   debug: (message, fields) => log.debug(fields, message),
 *   info: (message, fields) => log.info(fields, message),
 *   warn: (message, fields) => log.warn(fields, message),
 *   error: (message, fields) => log.error(fields, message),
 * };
 * ```
 */
export interface Logger {
  /** Steps of the protocol; many. */
  readonly debug: (message: string, fields?: LogFields) => void;
  /** Rebalances, connections lost and found again. */
  readonly info: (message: string, fields?: LogFields) => void;
  /** Something to look at that the library copes with by itself. */
  readonly warn: (message: string, fields?: LogFields) => void;
  /** Something that stops a client. */
  readonly error: (message: string, fields?: LogFields) => void;
}

/** The logger unless one is given: warnings and errors to the console, the rest nowhere. */
export const consoleLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: (message, fields) => {
    console.warn("%s", line(message, fields));
  },
  error: (message, fields) => {
    console.error("%s", line(message, fields));
  },
};

/** What brokers, handlers and schemas say is in it: a line break of theirs must not begin a line that looks like another. */
function line(message: string, fields: LogFields | undefined): string {
  const text = `typed-kafka: ${message.replace(controls, escaped)}`;
  // What is quoted has no line break of its own, but what turns text is left in it.
  return fields === undefined ? text : `${text} ${inspect(fields).replace(turns, escaped)}`;
}

/** Control characters: line breaks and the escapes of terminals among them. */
const controls = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
/** What breaks a line in Unicode, or turns its direction. */
const turns = /[\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

const escaped = (sign: string): string => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`;

/**
 * The user's logger as the clients call it: it never throws, whatever the user's does, now or in a promise that it
 * returns. It is given errors as texts: what serializes an `Error` as JSON keeps nothing of it, and what a handler
 * threw may be anything.
 * @internal
 */
export function safeLogger(logger: Logger): Logger {
  // Whatever it is said to give, an asynchronous one gives promises.
  const given = logger as Readonly<Record<keyof Logger, (message: string, fields?: LogFields) => unknown>>;
  const at =
    (level: keyof Logger) =>
    (message: string, fields?: LogFields): void => {
      try {
        const logged = given[level](message, plain(fields));
        // A promise of it that rejects would end the process. There is nowhere left to tell it.
        if (logged instanceof Object) Promise.resolve(logged).catch(() => undefined);
      } catch {
        // A transport that is closed or full changes nothing for the clients.
      }
    };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

function plain(fields: LogFields | undefined): LogFields | undefined {
  return fields?.["error"] === undefined ? fields : { ...fields, error: textOf(fields["error"]) };
}

function textOf(error: unknown): string {
  try {
    return error instanceof Error ? (error.stack ?? String(error)) : String(error);
  } catch {
    return "what was thrown cannot be read";
  }
}
