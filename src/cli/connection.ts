import { readFileSync } from "node:fs";
import type { ParseArgsConfig } from "node:util";
import type { KafkaOptions } from "../kafka-options.js";
import type { SaslOptions, SslOptions } from "../security-options.js";
import { type Terminal, UsageError } from "./command.js";

/** The options of `parseArgs` that every command takes which talks to a cluster. */
export const connectionArgs = {
  brokers: { type: "string" },
  ssl: { type: "boolean" },
  ca: { type: "string" },
  cert: { type: "string" },
  key: { type: "string" },
  "sasl-mechanism": { type: "string" },
  username: { type: "string" },
} as const satisfies ParseArgsConfig["options"];

/** How these options are told of in a command's usage. */
export const connectionUsage = `  --brokers host:port,…      where the cluster is (or KAFKA_BROKERS in the environment)
  --ssl                      with TLS
  --ca file                  trust this authority (PEM); means --ssl
  --cert file, --key file    who this client is, for mutual TLS (PEM); KAFKA_KEY_PASSPHRASE opens the key
  --sasl-mechanism name      plain, scram-sha-256 or scram-sha-512
  --username name            the password is KAFKA_PASSWORD in the environment`;

/** What was given of {@link connectionArgs}. */
export interface ConnectionArgs {
  readonly brokers?: string | undefined;
  readonly ssl?: boolean | undefined;
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly "sasl-mechanism"?: string | undefined;
  readonly username?: string | undefined;
}

/**
 * Turns what was given into the options of `Kafka`.
 *
 * @throws `UsageError`
 */
export function kafkaOptionsOf(args: ConnectionArgs, terminal: Terminal): KafkaOptions {
  const brokers = args.brokers ?? terminal.environment["KAFKA_BROKERS"];
  if (brokers === undefined || brokers === "")
    throw new UsageError("--brokers is missing, and KAFKA_BROKERS is not set");
  const quiet = (): void => undefined;
  return {
    brokers,
    clientId: "typed-kafka-cli",
    // What matters is in the answer.
    logger: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    ssl: sslOf(args, terminal),
    sasl: saslOf(args, terminal),
  };
}

function sslOf(args: ConnectionArgs, { environment }: Terminal): boolean | SslOptions {
  const [ca, cert, key] = (["ca", "cert", "key"] as const).map((name) => {
    const path = args[name];
    return path === undefined ? undefined : readFile(name, path);
  });
  if (ca === undefined && cert === undefined && key === undefined) return args.ssl ?? false;
  return { ca, cert, key, passphrase: environment["KAFKA_KEY_PASSPHRASE"] };
}

function saslOf(args: ConnectionArgs, { environment }: Terminal): SaslOptions | undefined {
  const mechanism = args["sasl-mechanism"];
  if (mechanism === undefined) {
    if (args.username !== undefined) throw new UsageError("--username needs --sasl-mechanism");
    return undefined;
  }
  if (mechanism !== "plain" && mechanism !== "scram-sha-256" && mechanism !== "scram-sha-512")
    throw new UsageError(`--sasl-mechanism ${mechanism}: expected plain, scram-sha-256 or scram-sha-512`);
  const password = environment["KAFKA_PASSWORD"];
  if (args.username === undefined || password === undefined)
    throw new UsageError("--sasl-mechanism needs --username, and KAFKA_PASSWORD in the environment");
  return { mechanism, username: args.username, password };
}

function readFile(option: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    throw new UsageError(`--${option} ${path}: cannot be read`);
  }
}
