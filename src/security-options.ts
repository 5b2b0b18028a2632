import { describe, kindOf, unsendableIn } from "./check.js";
import type { OAuthToken } from "./driver/client-config.js";
import type { NativeProperties } from "./driver/native.js";
import { ConfigError } from "./errors.js";
import { checkOptions } from "./options/check-options.js";
import { callback, choice, custom, flag, required, text } from "./options/kinds.js";
import type { OptionNotes, OptionSpec, OptionSpecs } from "./options/spec.js";

/** TLS: certificates and keys in PEM, as text or bytes. */
export interface SslOptions {
  /** Certificate authorities to trust, in PEM. Absent: those of the system. Kafka: `ssl.ca.pem`. */
  readonly ca?: string | Buffer | undefined;
  /** The client's certificate chain, in PEM, for mutual TLS. Kafka: `ssl.certificate.pem`. */
  readonly cert?: string | Buffer | undefined;
  /** The client's private key, in PEM, for mutual TLS. Kafka: `ssl.key.pem`. */
  readonly key?: string | Buffer | undefined;
  /** The private key's password. Kafka: `ssl.key.password`. */
  readonly passphrase?: string | undefined;
  /**
   * Whether the broker's certificate and host name are verified. `false` only for tests.
   * Kafka: `enable.ssl.certificate.verification`.
   * @default true
   */
  readonly rejectUnauthorized?: boolean | undefined;
}

/** How to authenticate; a union on `mechanism`. */
export type SaslOptions =
  | {
      /** How to log in: here with user name and password. Use TLS with `plain`. Capitals are taken too. Kafka: `sasl.mechanisms`. */
      readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
      /** The name of the user. Kafka: `sasl.username`. */
      readonly username: string;
      /** The password. Kafka: `sasl.password`. */
      readonly password: string;
    }
  | {
      /** OAuth 2 bearer tokens (KIP-255). */
      readonly mechanism: "oauthbearer";
      /**
       * Called when a token is needed, and again before it expires. Rejecting fails the connection with its message,
       * and so does no answer for 30 s; a connected client asks again 10 s later.
       */
      readonly token: () => Promise<OAuthToken>;
    }
  | {
      /** Kerberos. librdkafka must have been built with it. */
      readonly mechanism: "gssapi";
      /** The name under which the brokers are known to Kerberos. Kafka: `sasl.kerberos.service.name`. @default "kafka" */
      readonly serviceName?: string | undefined;
      /** The principal of this client. Kafka: `sasl.kerberos.principal`. */
      readonly principal?: string | undefined;
      /** Path of the keytab. Kafka: `sasl.kerberos.keytab`. */
      readonly keytab?: string | undefined;
    };

type SaslOf<Mechanism> = Extract<SaslOptions, { readonly mechanism: Mechanism }>;

/** The options within `ssl`. */
export const sslSpecs = {
  ca: pem({ property: "ssl.ca.pem", kafkajs: "ssl.ca", absent: "those of the system" }),
  cert: pem({ property: "ssl.certificate.pem", kafkajs: "ssl.cert" }),
  key: pem({ property: "ssl.key.pem", kafkajs: "ssl.key" }),
  passphrase: text({ property: "ssl.key.password", kafkajs: "ssl.passphrase", secret: true }),
  rejectUnauthorized: flag({
    default: true,
    property: "enable.ssl.certificate.verification",
    kafkajs: "ssl.rejectUnauthorized",
  }),
} satisfies OptionSpecs<SslOptions>;

const mechanisms = ["plain", "scram-sha-256", "scram-sha-512", "oauthbearer", "gssapi"] as const;
const property = "sasl.mechanisms";

const passwordSpecs = {
  mechanism: required(choice(["plain", "scram-sha-256", "scram-sha-512"], { property })),
  username: required(text({ property: "sasl.username", kafkajs: "sasl.username" })),
  password: required(text({ property: "sasl.password", kafkajs: "sasl.password", secret: true })),
} satisfies OptionSpecs<SaslOf<"plain" | "scram-sha-256" | "scram-sha-512">>;

const tokenSpecs = {
  mechanism: required(choice(["oauthbearer"], { property })),
  token: required(
    callback<SaslOf<"oauthbearer">["token"]>({ kafkajs: "sasl.oauthBearerProvider" }),
    "expected a function that gives a token",
  ),
} satisfies OptionSpecs<SaslOf<"oauthbearer">>;

const kerberosSpecs = {
  mechanism: required(choice(["gssapi"], { property })),
  serviceName: text({ property: "sasl.kerberos.service.name", absent: "`kafka`" }),
  principal: text({ property: "sasl.kerberos.principal" }),
  keytab: text({ property: "sasl.kerberos.keytab" }),
} satisfies OptionSpecs<SaslOf<"gssapi">>;

/** The options within `sasl`, of every mechanism. */
export const saslSpecs = {
  ...passwordSpecs,
  ...tokenSpecs,
  ...kerberosSpecs,
  mechanism: required(choice(mechanisms, { property, kafkajs: "sasl.mechanism" })),
};

/** The option `ssl`, checked into native properties; `undefined` for no encryption. */
export const sslSpec: OptionSpec<boolean | SslOptions, NativeProperties | undefined> = {
  ...custom("object", checkSsl, { property: "security.protocol", kafkajs: "ssl", absent: "no encryption" }),
  options: sslSpecs,
};

/** The option `sasl`, checked into native properties and, with `oauthbearer`, what gives tokens. */
export const saslSpec: OptionSpec<SaslOptions, CheckedSasl | undefined> = {
  ...custom("object", checkSasl, { property, kafkajs: "sasl", absent: "none" }),
  options: saslSpecs,
};

/** What the option `sasl` becomes. */
export interface CheckedSasl {
  readonly properties: NativeProperties;
  readonly token: SaslOf<"oauthbearer">["token"] | undefined;
}

function checkSsl(path: string, ssl: unknown): NativeProperties | undefined {
  if (ssl === undefined || ssl === false) return undefined;
  if (ssl === true) return {};
  const { ca, cert, key, passphrase, rejectUnauthorized } = checkOptions(path, ssl, sslSpecs, `${path}.`);
  if ((cert === undefined) !== (key === undefined))
    throw new ConfigError(`${path}.${cert === undefined ? "cert" : "key"}`, "cert and key go together");
  return withoutAbsent({
    "ssl.ca.pem": ca,
    "ssl.certificate.pem": cert,
    "ssl.key.pem": key,
    "ssl.key.password": passphrase,
    "enable.ssl.certificate.verification": rejectUnauthorized ? undefined : false,
  });
}

function checkSasl(path: string, sasl: unknown): CheckedSasl | undefined {
  if (sasl === undefined) return undefined;
  if (typeof sasl !== "object" || sasl === null)
    throw new ConfigError(path, `expected an object with a mechanism, got ${kindOf(sasl)}`);
  const given = (sasl as { readonly mechanism?: unknown }).mechanism;
  // Kafka's own clients and kcat write them in capitals.
  const mechanism = typeof given === "string" ? given.toLowerCase() : undefined;
  switch (mechanism) {
    case "plain":
    case "scram-sha-256":
    case "scram-sha-512": {
      const { username, password } = checkOptions(path, { ...sasl, mechanism }, passwordSpecs, `${path}.`);
      return {
        properties: {
          "sasl.mechanisms": mechanism.toUpperCase(),
          "sasl.username": username,
          "sasl.password": password,
        },
        token: undefined,
      };
    }
    case "oauthbearer": {
      const { token } = checkOptions(path, { ...sasl, mechanism }, tokenSpecs, `${path}.`);
      return { properties: { "sasl.mechanisms": "OAUTHBEARER" }, token };
    }
    case "gssapi": {
      const kerberos = checkOptions(path, { ...sasl, mechanism }, kerberosSpecs, `${path}.`);
      return {
        properties: withoutAbsent({
          "sasl.mechanisms": "GSSAPI",
          "sasl.kerberos.service.name": kerberos.serviceName,
          "sasl.kerberos.principal": kerberos.principal,
          "sasl.kerberos.keytab": kerberos.keytab,
        }),
        token: undefined,
      };
    }
    default:
      throw new ConfigError(
        `${path}.mechanism`,
        `expected ${mechanisms.slice(0, -1).join(", ")} or ${mechanisms.at(-1) ?? ""}, got ${describe(given)}`,
      );
  }
}

/** A certificate or key in PEM. */
function pem(about: OptionNotes): OptionSpec<string | Buffer, string | undefined> {
  return custom(
    "text",
    (path, given) => {
      if (given === undefined) return undefined;
      const content = typeof given === "string" || Buffer.isBuffer(given) ? given.toString() : "";
      if (!content.includes("-----BEGIN"))
        throw new ConfigError(path, "expected PEM, which begins with -----BEGIN");
      const change = unsendableIn(content);
      if (change !== undefined) throw new ConfigError(path, change);
      return content;
    },
    about,
  );
}

function withoutAbsent(
  properties: Readonly<Record<string, NativeProperties[string] | undefined>>,
): NativeProperties {
  return Object.fromEntries(
    Object.entries(properties).filter(([, value]) => value !== undefined),
  ) as NativeProperties;
}
