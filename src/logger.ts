/** What a log line carries besides its text: plain values, safe to serialize. */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * Where the library writes what no caller is waiting for: rebalances, reconnects, slow handlers.
 * The shape of pino, winston and `console` alike.
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
