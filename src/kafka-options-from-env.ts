import { readFileSync } from "node:fs";
import { checkOneOf } from "./check.js";
import { ConfigError } from "./errors.js";
import { type KafkaOptions, kafkaSpecs } from "./kafka-options.js";
import { type SaslOptions, saslSpecs, type SslOptions, sslSpecs } from "./security-options.js";

/** Variables of an environment, as `process.env` has them. */
type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The options of a {@link Kafka} whose service is set up by its environment. The variables are Kafka's own properties
 * in capitals, with `_` for each dot, after `KAFKA_`. An empty one counts as absent. Nothing of them is logged, and no
 * error shows a secret.
 *
 * - `KAFKA_BROKERS`, or `KAFKA_BOOTSTRAP_SERVERS`: `host:port,host:port`. Required.
 * - `KAFKA_CLIENT_ID`, `KAFKA_CLIENT_RACK`.
 * - `KAFKA_SECURITY_PROTOCOL`: `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`; or `KAFKA_SSL`: `true` or `false`.
 *   Absent: no TLS. With SASL one of them is required.
 * - `KAFKA_SSL_CA_LOCATION`, `KAFKA_SSL_CERTIFICATE_LOCATION`, `KAFKA_SSL_KEY_LOCATION`: paths of PEM files; or the PEM
 *   itself in `KAFKA_SSL_CA_PEM`, `KAFKA_SSL_CERTIFICATE_PEM`, `KAFKA_SSL_KEY_PEM`. `KAFKA_SSL_KEY_PASSWORD`.
 * - `KAFKA_SASL_MECHANISM`: `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`, with `KAFKA_SASL_USERNAME`, and
 *   `KAFKA_SASL_PASSWORD` or the path of a file with it, `KAFKA_SASL_PASSWORD_FILE` (a secret that is mounted).
 *
 * @example
 * ```ts
 * const kafka = new Kafka({ ...kafkaOptionsFromEnv(), telemetry });
 * ```
 * @throws `ConfigError` whose field is the variable that is wrong
 */
export function kafkaOptionsFromEnv(
  env: Readonly<Record<string, string | undefined>> = process.env,
): KafkaOptions {
  const protocol = checkProtocol(env);
  const sasl = saslOf(env, protocol);
  const ssl = sslOf(env, protocol.isEncrypted);
  const clientId = kafkaSpecs.clientId.check("KAFKA_CLIENT_ID", given(env, "KAFKA_CLIENT_ID"));
  const rack = kafkaSpecs.rack.check("KAFKA_CLIENT_RACK", given(env, "KAFKA_CLIENT_RACK"));
  return {
    brokers: brokersOf(env),
    clientId,
    ...(rack === undefined ? {} : { rack }),
    ...(ssl === undefined ? {} : { ssl }),
    ...(sasl === undefined ? {} : { sasl }),
  };
}

function brokersOf(env: Environment): string {
  const names = ["KAFKA_BROKERS", "KAFKA_BOOTSTRAP_SERVERS"] as const;
  const [brokers, servers] = names.map((name) => given(env, name));
  if (brokers !== undefined && servers !== undefined && brokers !== servers)
    throw new ConfigError(names[1], `is not the same as ${names[0]}: set one of them`);
  const [name, text] = brokers === undefined ? [names[1], servers] : [names[0], brokers];
  if (text === undefined)
    throw new ConfigError(
      names[0],
      `is required (or ${names[1]}): "host:port", or several of them with commas between`,
    );
  return kafkaSpecs.brokers.check(name, text);
}

const protocols = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] as const;

interface Protocol {
  readonly isEncrypted: boolean;
  /** Whether somebody said so. */
  readonly isGiven: boolean;
  /** `undefined` where only TLS is decided. */
  readonly isAuthenticated: boolean | undefined;
}

function checkProtocol(env: Environment): Protocol {
  const isEncrypted = flagOf(env, "KAFKA_SSL");
  const text = given(env, "KAFKA_SECURITY_PROTOCOL");
  if (text === undefined)
    return {
      isEncrypted: isEncrypted ?? false,
      isGiven: isEncrypted !== undefined,
      isAuthenticated: undefined,
    };
  const protocol = checkOneOf("KAFKA_SECURITY_PROTOCOL", text.toUpperCase(), protocols);
  if (isEncrypted !== undefined && isEncrypted !== protocol.endsWith("SSL"))
    throw new ConfigError("KAFKA_SSL", `contradicts KAFKA_SECURITY_PROTOCOL, which is ${protocol}`);
  return {
    isEncrypted: protocol.endsWith("SSL"),
    isGiven: true,
    isAuthenticated: protocol.startsWith("SASL"),
  };
}

function saslOf(env: Environment, protocol: Protocol): SaslOptions | undefined {
  const name = "KAFKA_SASL_MECHANISM";
  const mechanism = given(env, name);
  if (mechanism === undefined) {
    const other = ["KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD", "KAFKA_SASL_PASSWORD_FILE"].find(
      (variable) => given(env, variable) !== undefined,
    );
    if (other !== undefined) throw new ConfigError(name, `is required with ${other}`);
    if (protocol.isAuthenticated === true)
      throw new ConfigError(name, "is required with the SASL that KAFKA_SECURITY_PROTOCOL says");
    return undefined;
  }
  const known = checkOneOf(name, mechanism.toUpperCase(), ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]);
  if (!protocol.isGiven)
    throw new ConfigError(
      "KAFKA_SECURITY_PROTOCOL",
      `is required with ${name}: SASL_SSL, or SASL_PLAINTEXT where the network may see the credentials`,
    );
  if (protocol.isAuthenticated === false)
    throw new ConfigError("KAFKA_SECURITY_PROTOCOL", `says no SASL, and ${name} is set`);
  const [password, from] = secretOf(env, "KAFKA_SASL_PASSWORD");
  return {
    mechanism: known === "PLAIN" ? "plain" : known === "SCRAM-SHA-256" ? "scram-sha-256" : "scram-sha-512",
    username: saslSpecs.username.check("KAFKA_SASL_USERNAME", given(env, "KAFKA_SASL_USERNAME")),
    password: saslSpecs.password.check(from, password),
  };
}

function sslOf(env: Environment, isEncrypted: boolean): boolean | SslOptions | undefined {
  const options = {
    ca: pemOf(env, "KAFKA_SSL_CA", sslSpecs.ca),
    cert: pemOf(env, "KAFKA_SSL_CERTIFICATE", sslSpecs.cert),
    key: pemOf(env, "KAFKA_SSL_KEY", sslSpecs.key),
    passphrase: sslSpecs.passphrase.check("KAFKA_SSL_KEY_PASSWORD", given(env, "KAFKA_SSL_KEY_PASSWORD")),
  };
  const isAny = Object.values(options).some((option) => option !== undefined);
  if (isAny && !isEncrypted)
    throw new ConfigError("KAFKA_SSL", "certificates and keys are set, and TLS is not: set it to true");
  if ((options.cert === undefined) !== (options.key === undefined))
    throw new ConfigError(
      options.cert === undefined ? "KAFKA_SSL_CERTIFICATE_LOCATION" : "KAFKA_SSL_KEY_LOCATION",
      "is required: a certificate and its key go together",
    );
  if (!isEncrypted) return undefined;
  return isAny ? options : true;
}

/** PEM in a variable, or in the file that another one names. */
function pemOf(
  env: Environment,
  prefix: string,
  spec: { readonly check: (path: string, given: unknown) => string | undefined },
): string | undefined {
  const [inline, location] = [`${prefix}_PEM`, `${prefix}_LOCATION`];
  const text = given(env, inline);
  const path = given(env, location);
  if (text !== undefined && path !== undefined)
    throw new ConfigError(location, `and ${inline} are both set: leave one out`);
  return path === undefined ? spec.check(inline, text) : spec.check(location, readText(location, path));
}

/** A secret of a variable or of a mounted file, whose last line break is not part of it; and which variable had it. */
function secretOf(env: Environment, name: string): readonly [secret: string | undefined, variable: string] {
  const file = `${name}_FILE`;
  const path = given(env, file);
  const text = given(env, name);
  if (path === undefined) return [text, name];
  if (text !== undefined) throw new ConfigError(file, `and ${name} are both set: leave one out`);
  const secret = readText(file, path).replace(/\r?\n$/, "");
  if (secret === "") throw new ConfigError(file, "the file is empty");
  return [secret, file];
}

function readText(name: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const reason = cause instanceof Error && "code" in cause ? String(cause.code) : "it cannot be read";
    throw new ConfigError(name, `the file cannot be read: ${reason}`, { cause });
  }
}

function flagOf(env: Environment, name: string): boolean | undefined {
  const text = given(env, name);
  if (text === undefined) return undefined;
  const word = checkOneOf(name, text.toLowerCase(), ["true", "1", "false", "0"]);
  return word === "true" || word === "1";
}

function given(env: Environment, name: string): string | undefined {
  const text = env[name];
  return text === "" ? undefined : text;
}
