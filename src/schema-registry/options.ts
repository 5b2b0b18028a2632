import { checkKnown, describe } from "../check.js";
import { ConfigError } from "../errors.js";
import { checkOptions } from "../options/check-options.js";
import { callback, custom, integer, required, unchecked } from "../options/kinds.js";
import type { OptionSpecs } from "../options/spec.js";

/** Options of {@link schemaRegistry}. */
export interface SchemaRegistryOptions {
  /**
   * The registry's base address, or those of several instances of it: the next one is asked where one cannot be
   * reached. With a path where there is one, such as `/apis/ccompat/v7` for Apicurio. Confluent:
   * `schema.registry.url`.
   */
  readonly url: string | readonly string[];
  /** How to log in. Default: not at all. Confluent: `basic.auth.user.info`, `bearer.auth.token`. */
  readonly auth?: SchemaRegistryAuth | undefined;
  /**
   * How long one question may take, 100 to 600,000 milliseconds, with the repetitions that there are where the
   * registry cannot be reached, or is overloaded.
   * @default 10_000
   */
  readonly timeoutMs?: number | undefined;
  /** Headers for every request, such as `target-sr-cluster` for Confluent Cloud. Default: none. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /**
   * What makes the requests. Default: Node's own `fetch`, which trusts the certificates in `NODE_EXTRA_CA_CERTS`
   * too. Give one of your own for a client certificate, or a proxy.
   */
  readonly fetch?: typeof fetch | undefined;
}

/** How to log in to a registry: a name and a password, or a bearer token, given or got whenever one is needed. */
export type SchemaRegistryAuth =
  | {
      /** The user, or the API key. */
      readonly username: string;
      /** The password, or the API secret. */
      readonly password: string;
    }
  | {
      /** The token, or what gives one; it is called for each request, so it should keep its token while that is good. */
      readonly token: string | (() => string | Promise<string>);
    };

/** Options checked, with their defaults. */
export interface ResolvedRegistryOptions {
  /** Without a slash at the end; at least one. */
  readonly urls: readonly string[];
  readonly authorization: (() => string | Promise<string>) | undefined;
  readonly timeoutMs: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly fetch: typeof fetch;
}

/** The options of a registry. */
export const registrySpecs = {
  url: required(
    custom<SchemaRegistryOptions["url"], readonly string[]>("list", checkUrls, {
      property: "schema.registry.url",
    }),
    'expected an address such as "http://localhost:8081"',
  ),
  auth: custom<SchemaRegistryAuth, ResolvedRegistryOptions["authorization"]>("credentials", checkAuth),
  timeoutMs: integer({ min: 100, max: 600_000, default: 10_000 }),
  headers: unchecked<NonNullable<SchemaRegistryOptions["headers"]>>("object"),
  fetch: callback<typeof fetch>({ absent: "Node's own" }),
} satisfies OptionSpecs<SchemaRegistryOptions>;

/**
 * Checks options and fills in what they leave out.
 *
 * @throws `ConfigError` naming the field
 */
export function resolveRegistryOptions(options: SchemaRegistryOptions): ResolvedRegistryOptions {
  const given = checkOptions("SchemaRegistryOptions", options, registrySpecs);
  return {
    urls: given.url,
    authorization: given.auth,
    timeoutMs: given.timeoutMs,
    headers: { ...given.headers },
    // Looked up when it is needed: tests and instrumentation put their own into its place.
    fetch: given.fetch ?? ((input, init) => fetch(input, init)),
  };
}

function checkUrls(path: string, given: unknown): readonly string[] {
  const urls: readonly unknown[] = Array.isArray(given) ? given : [given];
  if (urls.length === 0) throw new ConfigError(path, "give the address of a schema registry");
  return urls.map((url) => {
    // What is no address may hold a password all the same, and is not shown.
    if (typeof url === "string" && url.includes("@"))
      throw new ConfigError(path, "holds a name or a password: give them in auth");
    const parsed = typeof url === "string" && URL.canParse(url) ? new URL(url) : undefined;
    if (parsed === undefined || !/^https?:$/.test(parsed.protocol))
      throw new ConfigError(
        path,
        `expected an address such as "http://localhost:8081", got ${describe(url)}`,
      );
    if (parsed.search !== "" || parsed.hash !== "")
      throw new ConfigError(path, "is a base address: it ends with the path");
    return parsed.href.replace(/\/+$/, "");
  });
}

function checkAuth(path: string, auth: unknown): ResolvedRegistryOptions["authorization"] {
  if (auth === undefined) return undefined;
  checkKnown(path, auth, ["username", "password", "token"]);
  const { username, password, token } = auth as Readonly<Record<string, unknown>>;
  if ("token" in (auth as object)) {
    if (typeof token !== "function" && (typeof token !== "string" || token === ""))
      throw new ConfigError(`${path}.token`, "expected a token, or a function that gives one");
    const get = typeof token === "function" ? (token as () => string | Promise<string>) : () => token;
    return async () => `Bearer ${await get()}`;
  }
  if (typeof username !== "string" || typeof password !== "string")
    throw new ConfigError(path, "expected { username, password } or { token }");
  const basic = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  return () => basic;
}
