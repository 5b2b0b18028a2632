import { readFileSync } from "node:fs";
import type { ParseArgsConfig } from "node:util";
import { Kafka } from "../kafka.js";
import type { KafkaOptions } from "../kafka-options.js";
import { kafkaOptionsFromEnv } from "../kafka-options-from-env.js";
import type { SaslOptions, SslOptions } from "../security-options.js";
import { bytes } from "../serde/bytes.js";
import { defineTopic } from "../topic.js";
import { type Terminal, UsageError } from "./command.js";

/** The options of `parseArgs` that every command takes which talks to a cluster. */
export const connectionArgs = {
  brokers: { type: "string", short: "b" },
  ssl: { type: "boolean" },
  ca: { type: "string" },
  cert: { type: "string" },
  "cert-key": { type: "string" },
  "sasl-mechanism": { type: "string" },
  username: { type: "string" },
  timeout: { type: "string" },
} as const satisfies ParseArgsConfig["options"];

/** How these options are told of in a command's usage. */
export const connectionUsage = `  -b, --brokers host:port,…  where the cluster is (or KAFKA_BROKERS in the environment)
  --ssl                      with TLS
  --ca file                  trust this authority (PEM); means --ssl
  --cert file, --cert-key file
                             who this client is, for mutual TLS (PEM); KAFKA_KEY_PASSPHRASE opens the key
  --sasl-mechanism name      plain, scram-sha-256 or scram-sha-512
  --username name            the password is KAFKA_SASL_PASSWORD in the environment
  --timeout ms               how long to wait for a broker (10000)
                             Without these flags, the variables that kafkaOptionsFromEnv() reads are taken.`;

/** Which of these flags gives an option of the library. */
export const connectionFlags = {
  brokers: "--brokers",
  KAFKA_BROKERS: "--brokers",
  connectTimeoutMs: "--timeout",
  "ssl.ca": "--ca",
  "ssl.cert": "--cert",
  "ssl.key": "--cert-key",
  "sasl.username": "--username",
} as const;

/** What was given of {@link connectionArgs}. */
export type ConnectionArgs = {
  readonly [Name in keyof typeof connectionArgs]?:
    ((typeof connectionArgs)[Name]["type"] extends "boolean" ? boolean : string) | undefined;
};

/**
 * Does something with the cluster that was given; ends the clients whatever comes, at once where the command is
 * interrupted.
 *
 * @throws `UsageError`
 */
export async function withKafka<Result>(
  args: ConnectionArgs,
  terminal: Terminal,
  work: (kafka: Kafka) => Promise<Result>,
): Promise<Result> {
  const kafka = new Kafka(kafkaOptionsOf(args, terminal));
  let interrupt = (): void => undefined;
  const interrupted = new Promise<never>((_, reject) => {
    interrupt = () => reject(new Interrupted());
    terminal.signal.addEventListener("abort", interrupt, { once: true });
  });
  try {
    if (terminal.signal.aborted) interrupt();
    return await Promise.race([work(kafka), interrupted]);
  } finally {
    terminal.signal.removeEventListener("abort", interrupt);
    await kafka.close();
  }
}

/** Somebody pressed Ctrl-C. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
}

/** A topic of which only the bytes are known. */
export const topicNamed = (name: string) => defineTopic(name, { value: bytes() });

/**
 * Turns what was given into the options of `Kafka`.
 *
 * @throws `UsageError`, `ConfigError`
 */
function kafkaOptionsOf(args: ConnectionArgs, terminal: Terminal): KafkaOptions {
  const quiet = (): void => undefined;
  const { timeout } = args;
  const ssl = sslOf(args, terminal);
  const sasl = saslOf(args, terminal);
  const isGiven = ssl !== undefined || sasl !== undefined;
  const brokers = brokersOf(args, terminal);
  const security = isGiven ? { ssl: ssl ?? false, sasl } : securityFromEnv(terminal);
  return {
    brokers,
    clientId: "typed-kafka-cli",
    connectTimeoutMs: timeout === undefined ? undefined : Number(timeout),
    // What matters is in the answer.
    logger: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    ...security,
  };
}

function brokersOf({ brokers }: ConnectionArgs, { environment }: Terminal): string {
  const given = brokers ?? environment["KAFKA_BROKERS"] ?? environment["KAFKA_BOOTSTRAP_SERVERS"];
  if (given === undefined || given === "")
    throw new UsageError("--brokers is missing, and KAFKA_BROKERS is not set");
  return given;
}

function securityFromEnv({ environment }: Terminal): Pick<KafkaOptions, "ssl" | "sasl"> {
  // Which brokers there are is not asked of it.
  const { ssl, sasl } = kafkaOptionsFromEnv({
    ...environment,
    KAFKA_BROKERS: "localhost:9092",
    KAFKA_BOOTSTRAP_SERVERS: undefined,
    KAFKA_CLIENT_ID: undefined,
    KAFKA_CLIENT_RACK: undefined,
  });
  return { ssl, sasl };
}

function sslOf(args: ConnectionArgs, { environment }: Terminal): boolean | SslOptions | undefined {
  const [ca, cert, key] = (["ca", "cert", "cert-key"] as const).map((name) => {
    const path = args[name];
    return path === undefined ? undefined : readFile(name, path);
  });
  if (ca === undefined && cert === undefined && key === undefined) return args.ssl;
  if ((cert === undefined) !== (key === undefined)) throw new UsageError("--cert and --cert-key go together");
  return { ca, cert, key, passphrase: environment["KAFKA_KEY_PASSPHRASE"] };
}

function saslOf(args: ConnectionArgs, { environment }: Terminal): SaslOptions | undefined {
  const mechanism = args["sasl-mechanism"]?.toLowerCase();
  if (mechanism === undefined) {
    if (args.username !== undefined) throw new UsageError("--username needs --sasl-mechanism");
    return undefined;
  }
  if (mechanism !== "plain" && mechanism !== "scram-sha-256" && mechanism !== "scram-sha-512")
    throw new UsageError(`--sasl-mechanism ${mechanism}: expected plain, scram-sha-256 or scram-sha-512`);
  const password = environment["KAFKA_SASL_PASSWORD"] ?? environment["KAFKA_PASSWORD"];
  if (args.username === undefined || password === undefined)
    throw new UsageError("--sasl-mechanism needs --username, and KAFKA_SASL_PASSWORD in the environment");
  return { mechanism, username: args.username, password };
}

function readFile(option: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    throw new UsageError(`--${option} ${path}: cannot be read`);
  }
}
