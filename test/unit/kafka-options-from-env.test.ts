import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { ConfigError, Kafka, kafkaOptionsFromEnv } from "typed-kafka";

const folder = mkdtempSync(join(tmpdir(), "typed-kafka-env-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const pem = (what: string) => `-----BEGIN ${what}-----\nx\n-----END ${what}-----\n`;
const KAFKA_BROKERS = "a:9092,b:9092";
const secure = { KAFKA_BROKERS, KAFKA_SECURITY_PROTOCOL: "SASL_SSL", KAFKA_SASL_MECHANISM: "SCRAM-SHA-512" };
const user = { KAFKA_SASL_USERNAME: "me", KAFKA_SASL_PASSWORD: "s3cret" };

test("brokers alone are enough", () => {
  expect(kafkaOptionsFromEnv({ KAFKA_BROKERS })).toEqual({ brokers: KAFKA_BROKERS, clientId: "typed-kafka" });
  expect(kafkaOptionsFromEnv({ KAFKA_BOOTSTRAP_SERVERS: "a:1" }).brokers).toBe("a:1");
});

test("an empty variable is absent, as compose files leave them", () => {
  const env = {
    KAFKA_BROKERS,
    KAFKA_CLIENT_ID: "",
    KAFKA_SSL: "",
    KAFKA_SASL_MECHANISM: "",
    KAFKA_SASL_PASSWORD: "",
  };
  expect(kafkaOptionsFromEnv(env)).toEqual(kafkaOptionsFromEnv({ KAFKA_BROKERS }));
});

test("client id and rack", () => {
  const env = { KAFKA_BROKERS, KAFKA_CLIENT_ID: "billing", KAFKA_CLIENT_RACK: "euc1-az1" };
  expect(kafkaOptionsFromEnv(env)).toMatchObject({ clientId: "billing", rack: "euc1-az1" });
});

test.each([
  [{ KAFKA_SSL: "true" }, true],
  [{ KAFKA_SSL: "1" }, true],
  [{ KAFKA_SECURITY_PROTOCOL: "SSL" }, true],
  [{ KAFKA_SECURITY_PROTOCOL: "ssl", KAFKA_SSL: "TRUE" }, true],
  [{ KAFKA_SSL: "false" }, undefined],
  [{ KAFKA_SECURITY_PROTOCOL: "PLAINTEXT" }, undefined],
])("TLS of %o is %s", (env, ssl) => {
  expect(kafkaOptionsFromEnv({ KAFKA_BROKERS, ...env }).ssl).toBe(ssl);
});

test("certificates and keys come from files or from the variables themselves", () => {
  const options = kafkaOptionsFromEnv({
    KAFKA_BROKERS,
    KAFKA_SSL: "true",
    KAFKA_SSL_CA_LOCATION: file("ca.pem", pem("CERTIFICATE")),
    KAFKA_SSL_CERTIFICATE_PEM: pem("CERTIFICATE"),
    KAFKA_SSL_KEY_LOCATION: file("key.pem", pem("PRIVATE KEY")),
    KAFKA_SSL_KEY_PASSWORD: "opens",
  });
  expect(options.ssl).toEqual({
    ca: pem("CERTIFICATE"),
    cert: pem("CERTIFICATE"),
    key: pem("PRIVATE KEY"),
    passphrase: "opens",
  });
  expect(() => new Kafka(options)).not.toThrow();
});

test.each([
  ["PLAIN", "plain"],
  ["scram-sha-256", "scram-sha-256"],
  ["SCRAM-SHA-512", "scram-sha-512"],
])("the mechanism %s with a password", (KAFKA_SASL_MECHANISM, mechanism) => {
  const options = kafkaOptionsFromEnv({ ...secure, ...user, KAFKA_SASL_MECHANISM });
  expect(options).toMatchObject({ ssl: true, sasl: { mechanism, username: "me", password: "s3cret" } });
  expect(() => new Kafka(options)).not.toThrow();
});

test("a password from a mounted file, without the line break at its end", () => {
  const { KAFKA_SASL_USERNAME } = user;
  const env = { ...secure, KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD_FILE: file("password", "s3cret\n") };
  expect(kafkaOptionsFromEnv(env).sasl).toMatchObject({ password: "s3cret" });
});

test.each<[variable: string, message: string, env: Readonly<Record<string, string>>]>([
  ["KAFKA_BROKERS", "is required (or KAFKA_BOOTSTRAP_SERVERS): ", {}],
  ["KAFKA_BROKERS[1]", "host:port", { KAFKA_BROKERS: "a:1,b" }],
  ["KAFKA_BROKERS[0]", "an address with an @", { KAFKA_BROKERS: "kafka://me:s3cret@a:1" }],
  ["KAFKA_BOOTSTRAP_SERVERS", "not the same", { KAFKA_BROKERS, KAFKA_BOOTSTRAP_SERVERS: "c:1" }],
  ["KAFKA_CLIENT_ID", "blank", { KAFKA_BROKERS, KAFKA_CLIENT_ID: " billing" }],
  ["KAFKA_SSL", "expected one of true, 1, false, 0", { KAFKA_BROKERS, KAFKA_SSL: "yes" }],
  ["KAFKA_SSL", "contradicts", { KAFKA_BROKERS, KAFKA_SSL: "false", KAFKA_SECURITY_PROTOCOL: "SSL" }],
  ["KAFKA_SECURITY_PROTOCOL", "expected one of PLAINTEXT", { KAFKA_BROKERS, KAFKA_SECURITY_PROTOCOL: "TLS" }],
  ["KAFKA_SSL", "set it to true", { KAFKA_BROKERS, KAFKA_SSL_CA_PEM: pem("CERTIFICATE") }],
  ["KAFKA_SSL_CA_PEM", "expected PEM", { KAFKA_BROKERS, KAFKA_SSL: "true", KAFKA_SSL_CA_PEM: "s3cret" }],
  [
    "KAFKA_SSL_CA_LOCATION",
    "ENOENT",
    { KAFKA_BROKERS, KAFKA_SSL: "true", KAFKA_SSL_CA_LOCATION: "/no/such" },
  ],
  [
    "KAFKA_SSL_KEY_LOCATION",
    "go together",
    { KAFKA_BROKERS, KAFKA_SSL: "true", KAFKA_SSL_CERTIFICATE_PEM: pem("CERTIFICATE") },
  ],
  ["KAFKA_SASL_MECHANISM", "is required with KAFKA_SASL_USERNAME", { KAFKA_BROKERS, ...user }],
  ["KAFKA_SASL_MECHANISM", "is required", { KAFKA_BROKERS, KAFKA_SECURITY_PROTOCOL: "SASL_SSL" }],
  [
    "KAFKA_SASL_MECHANISM",
    "expected one of PLAIN",
    { ...secure, ...user, KAFKA_SASL_MECHANISM: "OAUTHBEARER" },
  ],
  [
    "KAFKA_SECURITY_PROTOCOL",
    "SASL_SSL, or SASL_PLAINTEXT",
    { KAFKA_BROKERS, KAFKA_SASL_MECHANISM: "PLAIN", ...user },
  ],
  ["KAFKA_SECURITY_PROTOCOL", "says no SASL", { ...secure, ...user, KAFKA_SECURITY_PROTOCOL: "SSL" }],
  ["KAFKA_SASL_USERNAME", "is required", { ...secure, KAFKA_SASL_PASSWORD: "s3cret" }],
  ["KAFKA_SASL_PASSWORD", "is required", { ...secure, KAFKA_SASL_USERNAME: "me" }],
  ["KAFKA_SASL_PASSWORD", "blank", { ...secure, ...user, KAFKA_SASL_PASSWORD: " s3cret" }],
  [
    "KAFKA_SASL_PASSWORD_FILE",
    "the file is empty",
    { ...secure, KAFKA_SASL_USERNAME: "me", KAFKA_SASL_PASSWORD_FILE: "/dev/null" },
  ],
  ["KAFKA_SASL_PASSWORD_FILE", "both set", { ...secure, ...user, KAFKA_SASL_PASSWORD_FILE: "/no/such" }],
])("%s is named: %s", (field, message, env) => {
  let error: unknown;
  try {
    kafkaOptionsFromEnv(env);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(ConfigError);
  expect(error).toMatchObject({ field, message: expect.stringContaining(message) });
  expect((error as Error).message).not.toContain("s3cret");
});
