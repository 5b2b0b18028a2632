import { readFileSync } from "node:fs";
import type { ParseArgsConfig } from "node:util";
import type { KafkaOptions, SaslOptions } from "../kafka-options.js";
import { type Terminal, UsageError } from "./command.js";

/** The options of `parseArgs` that every command takes which talks to a cluster. */
export const connectionArgs = {
  brokers: { type: "string" },
  ssl: { type: "boolean" },
  ca: { type: "string" },
  "sasl-mechanism": { type: "string" },
  username: { type: "string" },
} as const satisfies ParseArgsConfig["options"];

/** How these options are told of in a command's usage. */
export const connectionUsage = `  --brokers host:port,…      where the cluster is (or KAFKA_BROKERS in the environment)
  --ssl                      with TLS
  --ca file                  trust this authority (PEM); means --ssl
  --sasl-mechanism name      plain, scram-sha-256 or scram-sha-512
  --username name            the password is KAFKA_PASSWORD in the environment`;

/** What was given of {@link connectionArgs}. */
export interface ConnectionArgs {
  readonly brokers?: string | undefined;
  readonly ssl?: boolean | undefined;
  readonly ca?: string | undefined;
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
    ssl: args.ca === undefined ? (args.ssl ?? false) : { ca: readFile(args.ca) },
    sasl: saslOf(args, terminal),
  };
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

function readFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    throw new UsageError(`--ca ${path}: cannot be read`);
  }
}
