/** How long a failed connection is worth telling: the native client says the same again every 30 s. */
const worthTellingMs = 60_000;

/** Of a broker by its id, `host:port/1`, or of a coordinator, `GroupCoordinator: host:port`; not of a bootstrap address. */
const unreachable = /^(?:\w+: )?([^\s/]+:\d+)(?:\/\d+)?: (?:Connect to|Failed to resolve|Connection setup)/;

/**
 * The last connection of a client that failed, as librdkafka logs it: errors of requests say that no answer came,
 * and not that the broker whose answer it was cannot be reached. No I/O.
 */
export class ConnectionTrouble {
  readonly #bootstrap: ReadonlySet<string>;
  readonly #now: () => number;
  #last: { readonly reason: string; readonly at: number } | undefined;

  /** @param brokers - what the client was given, `host:port` separated by commas */
  constructor(brokers: string, now: () => number = () => performance.now()) {
    this.#bootstrap = new Set(brokers.split(",").map((broker) => broker.trim()));
    this.#now = now;
  }

  /** A connection failed: `127.0.0.1:9092/1: Connect to ipv4#127.0.0.1:9092 failed: Connection refused (after …)`. */
  note(reason: string): void {
    const short = reason.replace(
      / \(after \d+ms in state \w+(?:, \d+ identical error\(s\) suppressed)?\)$/,
      "",
    );
    this.#last = { reason: short, at: this.#now() };
  }

  /** Address and reason of the last failure, with what to do about it; `undefined` where there was none. */
  get reason(): string | undefined {
    return this.#last === undefined ? undefined : `${this.#last.reason}${this.#hintOf(this.#last.reason)}`;
  }

  /** The same to be put behind the message of an error; empty where the last failure was long ago. */
  get suffix(): string {
    const { reason } = this;
    if (this.#last === undefined || reason === undefined) return "";
    const ageMs = this.#now() - this.#last.at;
    return ageMs > worthTellingMs ? "" : `. The last connection that failed: ${reason}`;
  }

  #hintOf(reason: string): string {
    if (/might require SASL/.test(reason))
      return ". Does this port want credentials? Check the option `sasl`";
    if (/connecting to a SSL listener/.test(reason))
      return ". Does this port speak TLS? Check the option `ssl`";
    const address = unreachable.exec(reason)?.[1];
    if (address === undefined || this.#bootstrap.has(address)) return "";
    return `. The brokers advertise ${address} (\`advertised.listeners\`): it has to be reachable from here`;
  }
}
