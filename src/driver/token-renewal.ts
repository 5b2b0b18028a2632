import { describe, kindOf, unsendableIn } from "../check.js";
import { AuthenticationError, ConfigError, TimeoutError } from "../errors.js";
import type { Logger } from "../logger.js";
import type { OAuthToken } from "./client-config.js";
import type { NativeConnection } from "./native.js";

/** After this time without an answer the native client is told so; it asks again 10 s later. */
const answersWithinMs = 30_000;
/** The last time that a `Date` can be; twice that in microseconds is still a number of 64 bits for librdkafka. */
const lastTime = 8.64e15;
const maxMessageLength = 500;

/** Gives the native client a token whenever it asks for one. */
export class TokenRenewal {
  readonly #provider: () => Promise<OAuthToken>;
  readonly #native: NativeConnection;
  readonly #what: string;
  readonly #logger: Logger;
  readonly #onFailed: (error: AuthenticationError) => void;
  #isClosed = false;
  #waiting = 0;

  constructor(options: {
    readonly provider: () => Promise<OAuthToken>;
    readonly native: NativeConnection;
    readonly what: string;
    readonly logger: Logger;
    readonly onFailed: (error: AuthenticationError) => void;
  }) {
    this.#provider = options.provider;
    this.#native = options.native;
    this.#what = options.what;
    this.#logger = options.logger;
    this.#onFailed = options.onFailed;
  }

  /** Whether the provider was asked and has not answered yet. */
  get isWaiting(): boolean {
    return this.#waiting > 0;
  }

  /** What is answered from now on has nobody to go to. */
  close(): void {
    this.#isClosed = true;
  }

  async renew(): Promise<void> {
    const late = setTimeout(() => {
      this.#fail(new TimeoutError(`no answer for ${answersWithinMs / 1_000} s`));
    }, answersWithinMs);
    late.unref();
    this.#waiting += 1;
    try {
      const { value, expiresAt, principal = "", extensions = {} } = checkToken(await this.#provider());
      const list = Object.entries(extensions).flat();
      if (!this.#isClosed)
        this.#native.setOAuthBearerToken(value, expiresAt, principal, list.length === 0 ? null : list);
    } catch (cause) {
      this.#fail(cause);
    } finally {
      this.#waiting -= 1;
      clearTimeout(late);
    }
  }

  #fail(cause: unknown): void {
    if (this.#isClosed) return;
    const message = messageOf(cause);
    this.#onFailed(
      new AuthenticationError(`${this.#what}: the token provider failed: ${message}`, { cause }),
    );
    this.#logger.error(`the token provider failed: ${message}`, { client: this.#what });
    try {
      this.#native.setOAuthBearerTokenFailure(message);
    } catch (error) {
      // The client is about to close.
      this.#logger.debug(`the native client took no failure of a token: ${messageOf(error)}`);
    }
  }
}

/** What a provider gave, as the native client takes it. Its errors never show the token. */
export function checkToken(token: OAuthToken | undefined): OAuthToken {
  if (typeof token?.value !== "string" || typeof token.expiresAt !== "number")
    throw invalid("expected a promise of { value: string, expiresAt: number }");
  const { value, expiresAt, principal = "", extensions = {} } = token;
  if (Number.isNaN(expiresAt) || expiresAt > lastTime)
    throw invalid(`expiresAt is ${expiresAt}, which is no time: expected milliseconds since the epoch`);
  if (expiresAt <= Date.now())
    throw invalid(`the token has expired: expiresAt is ${expiresAt}, in milliseconds since the epoch`);
  if (value === "") throw invalid("the token is empty");
  // SASL/OAUTHBEARER itself separates fields by them.
  if (/\p{Cc}/u.test(value)) throw invalid("the token has a control character");
  // A program in JavaScript may give what the type does not allow.
  if (typeof extensions !== "object" || (extensions as unknown) === null || Array.isArray(extensions))
    throw invalid(`expected extensions to be an object of texts, got ${kindOf(extensions)}`);
  for (const text of [value, principal, ...Object.entries(extensions).flat()] as readonly unknown[]) {
    if (typeof text !== "string")
      throw invalid(`expected principal and extensions to be texts, got a ${typeof text}`);
    const change = unsendableIn(text);
    if (change !== undefined) throw invalid(change);
  }
  return { value, expiresAt, principal, extensions };
}

const invalid = (message: string): ConfigError => new ConfigError("sasl.token", message);

/** What the provider threw may be anything; the native client takes no empty text, and the addon throws what is no `Error`. */
function messageOf(cause: unknown): string {
  let message = "";
  try {
    const own: unknown =
      typeof cause === "object" && cause !== null && "message" in cause ? cause.message : undefined;
    message = typeof own === "string" ? own : describe(cause);
  } catch {
    // A getter or a proxy of the provider's.
  }
  return (
    message
      .replace(/\p{Cc}+/gu, " ")
      .trim()
      .slice(0, maxMessageLength) || "it does not say why"
  );
}
