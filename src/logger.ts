/** What a log line carries besides its text: plain values, safe to serialize; an error is a text with its stack. */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * Where the library writes what no caller is waiting for: rebalances, reconnects, slow handlers. winston and
 * `console` have this shape; pino takes the fields first.
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
    console.warn(`typed-kafka: ${message}`, fields ?? "");
  },
  error: (message, fields) => {
    console.error(`typed-kafka: ${message}`, fields ?? "");
  },
};

/**
 * The logger, given errors as texts: what serializes an `Error` as JSON keeps nothing of it, and what a
 * handler threw may be anything.
 * @internal
 */
export function withPlainErrors(logger: Logger): Logger {
  const plain = (fields: LogFields | undefined): LogFields | undefined =>
    fields?.["error"] === undefined ? fields : { ...fields, error: textOf(fields["error"]) };
  return {
    debug: (message, fields) => {
      logger.debug(message, plain(fields));
    },
    info: (message, fields) => {
      logger.info(message, plain(fields));
    },
    warn: (message, fields) => {
      logger.warn(message, plain(fields));
    },
    error: (message, fields) => {
      logger.error(message, plain(fields));
    },
  };
}

function textOf(error: unknown): string {
  try {
    return error instanceof Error ? (error.stack ?? String(error)) : String(error);
  } catch {
    return "what was thrown cannot be read";
  }
}
