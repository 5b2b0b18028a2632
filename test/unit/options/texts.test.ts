import { expect, test } from "vitest";
import { defineTopic, Kafka, type KafkaOptions, string } from "typed-kafka";

const brokers = "localhost:9092";
const topic = defineTopic("texts", { value: string() });
const kafka = new Kafka({ brokers });
const pem = (text: string) => `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`;

/** Every option that is a text, and what is called with it. */
const options: readonly (readonly [field: string, call: (text: string) => unknown])[] = [
  ["clientId", (clientId) => new Kafka({ brokers, clientId })],
  ["rack", (rack) => new Kafka({ brokers, rack })],
  ["sasl.username", (username) => withSasl({ mechanism: "plain", username, password: "p" })],
  ["sasl.password", (password) => withSasl({ mechanism: "scram-sha-512", username: "u", password })],
  ["sasl.serviceName", (serviceName) => withSasl({ mechanism: "gssapi", serviceName })],
  ["sasl.principal", (principal) => withSasl({ mechanism: "gssapi", principal })],
  ["sasl.keytab", (keytab) => withSasl({ mechanism: "gssapi", keytab })],
  ["ssl.passphrase", (passphrase) => new Kafka({ brokers, ssl: { passphrase } })],
  ['librdkafka["debug"]', (debug) => new Kafka({ brokers, librdkafka: { debug } })],
  ["groupId", (groupId) => kafka.consumer(topic, { groupId })],
  ["groupInstanceId", (groupInstanceId) => kafka.consumer(topic, { groupId: "g", groupInstanceId })],
  ["groupId", (groupId) => kafka.processor(topic, { groupId, transactionalId: "t" })],
  ["transactionalId", (transactionalId) => kafka.processor(topic, { groupId: "g", transactionalId })],
  ["transactionalId", (transactionalId) => kafka.transactionalProducer({ transactionalId })],
  ["groupId", (groupId) => kafka.redrive(topic, { groupId })],
  ["groupId", (groupId) => kafka.check(topic, { groupId })],
  ["groupId", (groupId) => kafka.admin().groupLag(groupId)],
  ["groupIds", (groupId) => kafka.admin().describeGroups(groupId)],
];
const withSasl = (sasl: KafkaOptions["sasl"]) => new Kafka({ brokers, sasl });

const changed: readonly (readonly [what: string, text: string, message: string])[] = [
  ...[" ", "\t", "\n", "\v", "\f", "\r"].map(
    (blank) => [`${JSON.stringify(blank)} in front`, `${blank}secret`, "blank"] as const,
  ),
  ["a NUL in it", "se\0cret", "NUL"],
  ["a NUL in front", "\0secret", "NUL"],
  ["a NUL at the end", "secret\0", "NUL"],
  ["half a surrogate pair", "secret\ud800", "surrogate"],
];

test.each(options.flatMap(([field, call]) => changed.map((change) => [field, ...change, call] as const)))(
  "%s with %s is refused by name, without showing it",
  async (field, _, text, message, call) => {
    const error: unknown = await Promise.resolve()
      .then(() => call(text))
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "CONFIG", field, message: expect.stringContaining(message) });
    expect((error as Error).message).not.toContain("cret");
  },
);

test.each(options.filter(([field]) => !field.startsWith("librdkafka")))(
  "%s of more bytes than Kafka's protocol takes is refused by name",
  async (field, call) => {
    const long = (bytes: number): string => "é".repeat(bytes / 2);
    const error: unknown = await Promise.resolve()
      .then(() => call(long(32_002)))
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "CONFIG", field });
    expect((error as Error).message).toContain("has 32002 bytes, and Kafka takes 32000 at most");
  },
);

test("a topic's name and configuration have a length that Kafka takes", () => {
  const config = { "cleanup.policy": "x".repeat(32_001) };
  expect(() => defineTopic("t", { value: string(), config })).toThrow(
    expect.objectContaining({ field: "config.cleanup.policy" }),
  );
  expect(() => kafka.consumer(topic, { groupId: "x".repeat(32_000) })).not.toThrow();
  expect(() => defineTopic("x".repeat(40_000), { value: string() })).toThrow(
    "a text of 40000 characters is no topic name: it has 40000 characters, 249 is the most",
  );
});

test.each(["secret ", "é", "\u00a0x", "a b", "👍"])("%o is taken as it is", (text) => {
  expect(() => kafka.consumer(topic, { groupId: text, groupInstanceId: text })).not.toThrow();
  expect(() => withSasl({ mechanism: "plain", username: text, password: text })).not.toThrow();
});

test("a secret that is no text is not shown", () => {
  const sasl = { mechanism: "plain", username: "u", password: 12_345 } as unknown as KafkaOptions["sasl"];
  expect(() => withSasl(sasl)).toThrow(/sasl\.password.*got a number$/);
});

test("a broker's address, a certificate and a topic's configuration have no NUL", () => {
  expect(() => new Kafka({ brokers: "local\0host:9092" })).toThrow(
    expect.objectContaining({ field: "brokers[0]" }),
  );
  expect(() => new Kafka({ brokers, ssl: { ca: pem("a\0b") } })).toThrow(
    expect.objectContaining({ field: "ssl.ca" }),
  );
  expect(() => defineTopic("t", { value: string(), config: { "cleanup.policy": "compact\0" } })).toThrow(
    expect.objectContaining({ field: "config.cleanup.policy" }),
  );
});

test("a property's name cannot hide one that the library owns", () => {
  for (const name of ["acks\0", " acks", "enable.idempotence\0x"])
    expect(() => new Kafka({ brokers, librdkafka: { [name]: 0 } })).toThrow("is no name of a property");
});
