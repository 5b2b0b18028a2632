import {
  AuthenticationError,
  ClosedError,
  ConfigError,
  ConnectionError,
  KafkaError,
  type KafkaErrorCode,
} from "../errors.js";
import type { Logger } from "../logger.js";
import type { ClientConfig } from "./client-config.js";
import { ConnectionTrouble } from "./connection-trouble.js";
import { fromNative, nativeCodes } from "./native-errors.js";
import type {
  NativeCallback,
  NativeCallbacks,
  NativeConnection,
  NativeError,
  NativeLogEvent,
  NativeMetadata,
  NativeProperties,
} from "./native.js";
import { TokenRenewal } from "./token-renewal.js";
import { version } from "../version.js";
import { ignoreRejection, limitConcurrency, sleep, unlessAborted } from "../waiting.js";

/** What a kind of client adds to the common callbacks. */
interface ClientCallbacks {
  readonly global?: NativeCallbacks["global"];
  readonly event?: Omit<NativeCallbacks["event"], "event_cb">;
}

type Callback = (...parameters: never[]) => unknown;

/** Where a callback goes, as long as it goes anywhere. */
interface Relay {
  to: Callback | undefined;
}

/** In a scope of its own, which has nothing but the relay. */
function throughRelay(relay: Relay): Callback {
  return (...parameters) => relay.to?.(...parameters);
}

/** Lines of librdkafka's log that are acted on, where nothing else tells what they do. */
export interface LogWatch {
  /** librdkafka's debug contexts that the lines are of. They are asked for beside the user's, and logged only if they are the user's. */
  readonly contexts: readonly string[];
  /** Gives whether the line was acted on: then it is not logged. */
  readonly onLine: (line: NativeLogEvent) => boolean;
}

/**
 * One blocking call for metadata holds one of libuv's four threads; a process whose brokers are all down
 * must still read files and resolve names.
 */
const probes = limitConcurrency(2);
const probeTimeoutMs = 1_000;
/** How long a broker has to tell what it knows until another is asked, in milliseconds; twice as long at each further try. */
const metadataAnswerMs = 2_000;
/** The broker has not answered, or there is none to ask. */
const silentCodes: readonly KafkaErrorCode[] = ["TIMEOUT", "CONNECTION"];
/** An outage is told after so long, and again after so long. */
const outageMs = 5_000;
const tellAgainMs = 60_000;
const probePauseMs = 250;
/** As Java's `request.timeout.ms`: a broker that says nothing for so long is connected to anew. librdkafka's is a minute. */
const answersWithinMs = 30_000;
/** Syslog's severities, as librdkafka uses them: what is logged by default, and what its property `debug` asks for. */
const infoSeverity = 6;
const debugSeverity = 7;

/**
 * What producers and consumers have in common: connecting with a deadline and the true reason, logs,
 * tokens, metadata and disconnecting.
 */
export class Client<Native extends NativeConnection> {
  readonly native: Native;
  readonly #config: ClientConfig;
  readonly #what: string;
  readonly #callbacks: ClientCallbacks;
  readonly #onFatal: (error: KafkaError) => void;
  readonly #fatalOf: ((reason: string) => KafkaError | undefined) | undefined;
  readonly #beforeDisconnect: (() => void) | undefined;
  readonly #afterDisconnect: (() => void) | undefined;
  readonly #watch: LogWatch | undefined;
  /** The last severity that is logged: asking for debug contexts makes librdkafka write lines of all. */
  readonly #lastSeverity: number;
  #refused: ((error: KafkaError) => void) | undefined;
  #state: "new" | "open" | "closed" = "new";
  /** Counts calls running on libuv's threads: disconnecting under one of them is not safe. */
  #calls = 0;
  #idle: (() => void) | undefined;
  /** No outage is looked for before this time. */
  #lookAgainAt = 0;
  #fatal: KafkaError | undefined;
  readonly #trouble: ConnectionTrouble;
  readonly #renewal: TokenRenewal | undefined;
  #relays: Relay[] = [];

  constructor(options: {
    readonly config: ClientConfig;
    readonly what: string;
    readonly create: (properties: NativeProperties) => Native;
    readonly properties: NativeProperties;
    /** Properties that must be set before all others. */
    readonly firstProperties?: NativeProperties;
    readonly callbacks: ClientCallbacks;
    readonly onFatal: (error: KafkaError) => void;
    /** The error for what a line about a fatal error says; `undefined` where there is nothing more to say than that. */
    readonly fatalOf?: (reason: string) => KafkaError | undefined;
    /** The native client is about to be disconnected, and no call is in it any more. */
    readonly beforeDisconnect?: () => void;
    /** The native client has been disconnected: it tells nothing any more. */
    readonly afterDisconnect?: () => void;
    readonly watch?: LogWatch;
  }) {
    this.#config = options.config;
    this.#what = options.what;
    this.#callbacks = options.callbacks;
    this.#onFatal = options.onFatal;
    this.#fatalOf = options.fatalOf;
    this.#beforeDisconnect = options.beforeDisconnect;
    this.#afterDisconnect = options.afterDisconnect;
    this.#trouble = new ConnectionTrouble(options.config.brokers);
    this.#watch = options.watch;
    const given: NativeProperties = {
      "socket.timeout.ms": answersWithinMs,
      ...options.config.properties,
      ...options.properties,
    };
    const asked = given["debug"] ?? "";
    this.#lastSeverity = asked === "" ? Number(given["log_level"] ?? infoSeverity) : debugSeverity;
    const contexts = [...(asked === "" ? [] : [asked]), ...(options.watch?.contexts ?? [])];
    const properties = {
      // Once for their place, and once for their values.
      ...options.firstProperties,
      ...given,
      ...options.firstProperties,
      ...(contexts.length === 0 ? {} : { debug: contexts.join(",") }),
      "client.software.name": "typed-kafka",
      "client.software.version": version,
    };
    try {
      this.native = options.create(properties);
    } catch (cause) {
      throw configErrorOf(cause);
    }
    const { token: provider, logger } = options.config;
    if (provider !== undefined)
      this.#renewal = new TokenRenewal({
        provider,
        native: this.native,
        what: options.what,
        logger,
        onFailed: (error) => this.#refused?.(error),
      });
  }

  get logger(): Logger {
    return this.#config.logger;
  }

  /** The error that ended this client for good, if one did (BINDING: events carry no usable code). */
  get fatal(): KafkaError | undefined {
    return this.#fatal;
  }

  /** Which connection failed last, and why, to be put behind a message; empty where none did lately. */
  get trouble(): string {
    return this.#trouble.suffix;
  }

  /** `startPolling` is called as soon as the native client exists: without it no error event arrives. */
  async connect(startPolling: () => void, signal?: AbortSignal): Promise<void> {
    const deadline = performance.now() + this.#config.connectTimeoutMs;
    signal?.throwIfAborted();
    const refused = new Promise<never>((_, reject) => {
      this.#refused = reject;
    });
    ignoreRejection(refused);
    this.native.configureCallbacks(true, {
      global: this.#relayed({ ...this.#callbacks.global, ...this.#tokenCallback() }),
      topic: {},
      event: this.#relayed({ ...this.#callbacks.event, event_cb: this.#onEvent }),
    });
    try {
      await this.call("connect", (callback) => {
        this.native.connect(callback);
      });
      this.#state = "open";
      startPolling();
      await unlessAborted(Promise.race([this.#probe(deadline), refused]), signal);
    } catch (error) {
      // The failure is the caller's to know at once; the native client goes in its own time.
      void this.disconnect();
      throw withOption(error);
    } finally {
      this.#refused = undefined;
    }
  }

  /** One call of the addon as a promise with a typed error, which says how long was waited since `began`. */
  async call<Result>(
    what: string,
    start: (callback: NativeCallback<Result>) => void,
    began = performance.now(),
  ): Promise<Result> {
    if (this.#state === "closed") throw new ClosedError(`${this.#what}: ${what}: the client is closed`);
    this.#calls += 1;
    try {
      return await new Promise<Result>((resolve, reject) => {
        start((error, result) => {
          if (error) reject(fromNative(`${this.#what}: ${what}`, error, {}, this.#waited(error, began)));
          else resolve(result);
        });
      });
    } finally {
      this.#calls -= 1;
      if (this.#calls === 0) this.#idle?.();
    }
  }

  /** What to put behind the message of a call that began then: how long it waited, and which connection failed. */
  #waited(error: Error | NativeError, began: number): string {
    const isLate = (error as NativeError).code === nativeCodes.timedOut;
    return `${isLate ? ` after ${Math.round(performance.now() - began)} ms` : ""}${this.trouble}`;
  }

  /** Brokers, and the partitions of one topic where it is named. */
  async metadata(topic: string | undefined, timeoutMs: number): Promise<NativeMetadata> {
    return topic === undefined
      ? this.#askForMetadata("metadata", { allTopics: false }, timeoutMs)
      : this.#askForMetadata(`metadata of ${topic}`, { allTopics: false, topic }, timeoutMs);
  }

  /** Brokers, and the partitions of every topic that this principal may see. */
  async metadataOfAll(timeoutMs: number): Promise<NativeMetadata> {
    return this.#askForMetadata("metadata", { allTopics: true }, timeoutMs);
  }

  /** Where one broker is silent, another is asked: librdkafka keeps a request for the broker it chose, though that is gone. */
  async #askForMetadata(
    what: string,
    of: { readonly allTopics: boolean; readonly topic?: string },
    timeoutMs: number,
  ): Promise<NativeMetadata> {
    const began = performance.now();
    for (let withinMs = metadataAnswerMs; ; withinMs *= 2) {
      const left = Math.max(1, Math.ceil(began + timeoutMs - performance.now()));
      try {
        return await this.call<NativeMetadata>(
          what,
          (callback) => {
            this.native.getMetadata({ ...of, timeout: Math.min(withinMs, left) }, callback);
          },
          began,
        );
      } catch (error) {
        const isSilent = error instanceof KafkaError && silentCodes.includes(error.code);
        if (!isSilent || withinMs >= left) throw error;
      }
    }
  }

  /** Ends the native client once the calls in it have returned. Never rejects. */
  async disconnect(): Promise<void> {
    if (this.#state === "closed") return;
    const wasOpen = this.#state === "open";
    this.#state = "closed";
    this.#renewal?.close();
    if (this.#calls > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    this.#beforeDisconnect?.();
    if (wasOpen) {
      await new Promise<void>((resolve) => {
        this.native.disconnect(() => {
          resolve();
        });
      });
    }
    this.#afterDisconnect?.();
    for (const relay of this.#relays) relay.to = undefined;
    this.#relays = [];
  }

  /**
   * Callbacks as the binding may have them. It keeps them for ever, those of a client that is gone too: what it keeps
   * must hold nothing by then, or no client and nothing that it served would ever be freed.
   */
  #relayed<Callbacks extends Readonly<Record<string, Callback>>>(callbacks: Callbacks): Callbacks {
    const relayed = Object.entries(callbacks).map(([name, to]) => {
      const relay: Relay = { to };
      this.#relays.push(relay);
      return [name, throughRelay(relay)] as const;
    });
    return Object.fromEntries(relayed) as Callbacks;
  }

  async #probe(deadline: number): Promise<void> {
    for (;;) {
      const left = deadline - performance.now();
      if (left <= 0) {
        const reason =
          this.#renewal?.isWaiting === true
            ? "the token provider has not answered yet"
            : this.#trouble.reason;
        throw new ConnectionError(
          `${this.#what}: no broker at ${this.#config.brokers} answered within ${this.#config.connectTimeoutMs} ms${reason === undefined ? "" : `: ${reason}`}`,
        );
      }
      try {
        await probes(() => this.metadata(undefined, Math.max(1, Math.min(left, probeTimeoutMs))));
        return;
      } catch (error) {
        if (!(error instanceof KafkaError) || error.code === "CLOSED") throw error;
        await sleep(Math.max(0, Math.min(probePauseMs, deadline - performance.now())));
      }
    }
  }

  readonly #onEvent = (type: string, data: unknown): void => {
    if (type === "log") this.#onLog(data as NativeLogEvent);
    else if (type === "error") this.#onError(data as Error);
  };

  #onLog(line: NativeLogEvent): void {
    const { severity, fac, message } = line;
    if (this.#watch?.onLine(line) === true || severity > this.#lastSeverity) return;
    const reason = message.replace(/^\[thrd:[^\]]*\]: /, "");
    const fields = { client: this.#what, facility: fac };
    if (fac === "FATAL") {
      // The reason's own code comes later, if at all.
      const isFenced = /static consumer fenced/i.test(reason);
      const told = this.#fatalOf?.(reason);
      this.#fatal =
        told ??
        new KafkaError(isFenced ? "CONSUMER_FENCED" : "FATAL", `${this.#what}: ${reason}`, {
          nativeCode: isFenced ? nativeCodes.fencedInstanceId : nativeCodes.fatal,
        });
      this.#onFatal(this.#fatal);
      // Whoever is told decides how bad it is: it may pass.
      if (told !== undefined) {
        this.logger.info(reason, fields);
        return;
      }
    }
    if (fac === "FAIL") {
      this.#trouble.note(reason);
      const refusal = this.#refusalOf(reason);
      if (refusal !== undefined) this.#refused?.(refusal);
      // librdkafka goes on by itself, and says this for every broker at every attempt.
      this.logger.info(reason, fields);
    } else if (severity <= 2) this.logger.error(reason, fields);
    else if (severity === 3) this.logger.warn(reason, fields);
    else if (severity <= 5) this.logger.info(reason, fields);
    else this.logger.debug(reason, fields);
  }

  #onError(error: Error): void {
    this.logger.debug(error.message, { client: this.#what });
    if (this.#state === "open" && /broker connections are down/i.test(error.message))
      void this.#lookForBrokers();
    if (/authentication failure/i.test(error.message)) {
      this.#refused?.(new AuthenticationError(`${this.#what}: ${this.#trouble.reason ?? error.message}`));
    }
  }

  /** Tells of an outage that lasts: librdkafka goes on by itself as soon as a broker answers, and says nothing above `info`. */
  async #lookForBrokers(): Promise<void> {
    const now = performance.now();
    if (now < this.#lookAgainAt) return;
    this.#lookAgainAt = now + tellAgainMs;
    await new Promise((resolve) => {
      setTimeout(resolve, outageMs).unref();
    });
    try {
      if (this.#state === "open") await probes(() => this.metadata(undefined, probeTimeoutMs));
      this.#lookAgainAt = 0;
    } catch (error) {
      if (error instanceof KafkaError && error.code === "CLOSED") return;
      const reason = this.#trouble.reason === undefined ? "" : `: ${this.#trouble.reason}`;
      this.logger.warn(
        `${this.#what}: no broker at ${this.#config.brokers} has answered for ${outageMs / 1_000} s${reason}. It goes on when one does`,
      );
    }
  }

  /** A refusal that no further attempt will change; librdkafka itself would try for ever. */
  #refusalOf(reason: string): KafkaError | undefined {
    if (/SASL .*authentication|authentication failed|OAUTHBEARER/i.test(reason))
      return new AuthenticationError(`${this.#what}: ${reason}. Check the option \`sasl\``);
    if (/certificate|SSL handshake failed.*(unknown ca|bad certificate)/i.test(reason))
      return new AuthenticationError(`${this.#what}: ${reason}. Check the option \`ssl\``);
    if (/SSL handshake failed.*(wrong version number|unexpected message|http request)/i.test(reason))
      return new ConnectionError(
        `${this.#what}: ${reason}. Does this port speak TLS? Check the option \`ssl\``,
        {
          retriable: false,
        },
      );
    return undefined;
  }

  #tokenCallback(): NativeCallbacks["global"] {
    const renewal = this.#renewal;
    return renewal === undefined ? {} : { oauthbearer_token_refresh_cb: () => void renewal.renew() };
  }
}

/** Keys and certificates that cannot be read are found out when connecting. */
function withOption(error: unknown): unknown {
  const field = /: ssl\.(key|certificate|ca)\b/.exec(error instanceof KafkaError ? error.message : "")?.[1];
  return field === undefined
    ? error
    : new ConfigError(`ssl.${field === "certificate" ? "cert" : field}`, (error as KafkaError).message, {
        cause: error,
      });
}

/** librdkafka names the property it does not know or cannot use. */
function configErrorOf(cause: unknown): KafkaError {
  if (cause instanceof KafkaError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  const name = /"([a-z0-9._]+)"/i.exec(message)?.[1];
  return new ConfigError(name === undefined ? "librdkafka" : `librdkafka["${name}"]`, message, { cause });
}
