import {
  AuthenticationError,
  AuthorizationError,
  ConfigError,
  ConnectionError,
  KafkaError,
  TimeoutError,
} from "../errors.js";
import { backoff, sleep } from "../waiting.js";
import type { ResolvedRegistryOptions } from "./options.js";

const roundDelayMs = backoff(100, 2_000);
/** With less time than this left nothing is tried again. */
const shortestTryMs = 50;
const maxAnswerBytes = 16 * 2 ** 20;
const mediaType = "application/vnd.schemaregistry.v1+json";

/** What a registry said no to, with its own code (https://docs.confluent.io/platform/current/schema-registry/develop/api.html). */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: number;
  readonly code: number;

  constructor(status: number, code: number, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }

  /** Whether there is no such subject, version or schema. */
  get isMissing(): boolean {
    return this.code >= 40401 && this.code <= 40403;
  }
}

/**
 * Asks a registry, within `timeoutMs`: again and again where it cannot be reached or is overloaded, the next
 * address each time.
 *
 * Its client library is not used: loading it takes 0.6 s and 80 MB of memory, installing it 170 MB and 280
 * packages (the key services of three clouds among them), for the four questions that are asked here.
 */
export class Requests {
  readonly #options: ResolvedRegistryOptions;
  /** Which address answered last. */
  #preferred = 0;

  constructor(options: ResolvedRegistryOptions) {
    this.#options = options;
  }

  /**
   * The answer, parsed.
   *
   * @throws `Refusal` where the registry says no to what was asked
   * @throws `ConnectionError`, `TimeoutError`, `AuthenticationError`, `AuthorizationError`, `ConfigError`
   */
  async send(method: "GET" | "POST", path: string, body?: object): Promise<unknown> {
    const { urls, timeoutMs } = this.#options;
    const deadline = performance.now() + timeoutMs;
    const fullMs = timeoutMs / urls.length;
    let reason: KafkaError | undefined;
    for (let attempt = 1; ; attempt += 1) {
      const url = urls[this.#preferred % urls.length] ?? "";
      const limitMs = Math.max(1, Math.min(deadline - performance.now(), fullMs));
      try {
        return await this.#once(url, method, path, body, limitMs);
      } catch (error) {
        if (!(error instanceof KafkaError) || !error.retriable) throw error;
        // That a try had no time left says less than why the one before failed.
        if (reason === undefined || !(error instanceof TimeoutError) || limitMs === fullMs) reason = error;
        this.#preferred += 1;
        // Every address has its turn before the first wait.
        const round = Math.floor(attempt / urls.length);
        const delayMs = attempt % urls.length === 0 ? roundDelayMs(round - 1) : 0;
        if (performance.now() + delayMs + shortestTryMs > deadline) throw reason;
        await sleep(delayMs);
      }
    }
  }

  async #once(url: string, method: string, path: string, body: object | undefined, limitMs: number) {
    const { fetch, headers } = this.#options;
    const authorization = await this.#authorization();
    let response: Response;
    let text: string;
    try {
      response = await fetch(`${url}${path}`, {
        method,
        headers: {
          accept: `${mediaType}, application/json`,
          ...(body === undefined ? {} : { "content-type": mediaType }),
          ...(authorization === undefined ? {} : { authorization: sendable("auth", authorization) }),
          ...Object.fromEntries(
            Object.entries(headers).map(([name, value]) => [name, sendable("headers", value)]),
          ),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        // Where it leads, the headers that are given here are nobody's business.
        redirect: "manual",
        signal: AbortSignal.timeout(Math.ceil(limitMs)),
      });
      text = await textOf(response, url);
    } catch (error) {
      if (error instanceof KafkaError) throw error;
      if (error instanceof DOMException && error.name === "TimeoutError")
        throw new TimeoutError(
          `the schema registry at ${url} did not answer within ${Math.ceil(limitMs)} ms`,
          {
            cause: error,
          },
        );
      throw new ConnectionError(`the schema registry at ${url} cannot be reached: ${reasonOf(error)}`, {
        cause: error,
      });
    }
    return answerOf(url, `${method} ${path}`, response.status, text);
  }

  async #authorization(): Promise<string | undefined> {
    try {
      return await this.#options.authorization?.();
    } catch (error) {
      if (error instanceof KafkaError) throw error;
      throw new ConnectionError(`auth.token gave no token for the schema registry: ${reasonOf(error)}`, {
        cause: error,
      });
    }
  }
}

/**
 * The value of a header.
 * @throws `ConfigError` for one that HTTP cannot carry, without it: `fetch` would show it, and it may be a secret
 */
function sendable(field: string, value: unknown): string {
  const text = String(value).trim();
  if (!/[^\t\x20-\x7e\x80-\xff]/.test(text)) return text;
  throw new ConfigError(field, "holds a character that no header of HTTP can have, such as a line break");
}

/**
 * The body, up to a size that no schema has: what answers may be anything.
 * @throws `ConfigError` for a larger one
 */
async function textOf(response: Response, url: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > maxAnswerBytes)
      throw new ConfigError(
        "url",
        `${url} answered with more than ${maxAnswerBytes / 2 ** 20} MiB: is it a registry?`,
      );
  }
  return Buffer.concat(chunks).toString();
}

function answerOf(url: string, question: string, status: number, text: string): unknown {
  const answer = parse(text);
  if (status >= 200 && status < 300) {
    if (answer !== undefined) return answer;
    throw new ConfigError(
      "url",
      `${url} answered ${question} with something that is no JSON: is it a registry?`,
    );
  }
  const { error_code: code, message } = (answer ?? {}) as { error_code?: unknown; message?: unknown };
  const said = typeof message === "string" ? `: ${message}` : "";
  // What a user's own fetch did not follow either has status 0.
  if (status < 200 || (status >= 300 && status < 400))
    throw new ConfigError("url", `${url} answered ${question} with a redirect: give the address it leads to`);
  if (status === 401)
    throw new AuthenticationError(`the schema registry at ${url} wants other credentials (auth)${said}`);
  if (status === 403)
    throw new AuthorizationError(`the schema registry at ${url} does not allow ${question}${said}`);
  if (status === 408 || status === 429 || status >= 500)
    throw new ConnectionError(`the schema registry at ${url} answered ${question} with ${status}${said}`);
  // Without a code of its own it is no registry that answers: its "not found" says nothing about a schema.
  if (typeof code !== "number")
    throw new ConfigError("url", `${url} answered ${question} with ${status}${said}: is its path right?`);
  throw new Refusal(status, code, typeof message === "string" ? message : `error ${code}`);
}

function parse(text: string): object | undefined {
  try {
    const answer: unknown = JSON.parse(text);
    return typeof answer === "object" && answer !== null ? answer : undefined;
  } catch {
    return undefined;
  }
}

/** What fetch hides behind "fetch failed". */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (cause instanceof AggregateError && cause.errors.length > 0) return reasonOf(cause.errors[0]);
  return cause instanceof Error ? reasonOf(cause) : error.message;
}
