import type { Logger } from "../logger.js";
import type { ClientTelemetry } from "../telemetry/client-telemetry.js";
import type { NativeProperties } from "./native.js";

/** An OAuth 2 bearer token for SASL/OAUTHBEARER. */
export interface OAuthToken {
  /** The token itself. */
  readonly value: string;
  /** When it expires, in milliseconds since the epoch. */
  readonly expiresAt: number;
  /** Whom it was given to. @default "" */
  readonly principal?: string | undefined;
  /** SASL extensions (KIP-342). */
  readonly extensions?: Readonly<Record<string, string>> | undefined;
}

/** What every native client of one `Kafka` shares. */
export interface ClientConfig {
  /** `host:port,host:port`, as error messages show it. */
  readonly brokers: string;
  readonly connectTimeoutMs: number;
  readonly metadataMaxAgeMs: number;
  readonly logger: Logger;
  /** Absent: nobody watches. */
  readonly telemetry?: ClientTelemetry | undefined;
  readonly token: (() => Promise<OAuthToken>) | undefined;
  readonly properties: NativeProperties;
}
