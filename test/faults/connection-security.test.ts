/** Every way to say who one is, against a broker that asks for it: produce, consume and ask as admin with each. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  AuthenticationError,
  defineTopic,
  Kafka,
  type OAuthToken,
  type SaslOptions,
  type SslOptions,
  string,
} from "typed-kafka";
import { until } from "../support/consuming.js";
import { type Certificates, makeCertificates } from "../support/certificates.js";
import { type KafkaCluster, startKafka } from "../support/kafka-cluster.js";
import { errorOf } from "../support/outcomes.js";
import { runProgram } from "../support/run-example.js";
import { silent } from "../support/silent.js";
import { uniqueName } from "../support/topics.js";

const folder = mkdtempSync(join(tmpdir(), "typed-kafka-security-"));
let certificates: Certificates;
let cluster: KafkaCluster;

const modules = "org.apache.kafka.common.security";
const mechanism = (name: string, module: string, options = "") => [
  `listener.name.client.${name}.sasl.jaas.config`,
  `${modules}.${module} required${options};`,
];

beforeAll(async () => {
  certificates = await makeCertificates(folder);
  cluster = await startKafka({
    clientProtocol: "SASL_SSL",
    properties: {
      "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,OAUTHBEARER",
      ...Object.fromEntries([
        mechanism("plain", "plain.PlainLoginModule", ' user_alice="hers"'),
        mechanism("scram-sha-256", "scram.ScramLoginModule"),
        mechanism(
          "oauthbearer",
          "oauthbearer.OAuthBearerLoginModule",
          ' unsecuredLoginStringClaim_sub="broker"',
        ),
      ]),
      "listener.name.client.oauthbearer.sasl.server.callback.handler.class": `${modules}.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler`,
      // The broker ends a connection whose token has expired.
      "listener.name.client.oauthbearer.connections.max.reauth.ms": 60_000,
      "listener.name.client.ssl.keystore.type": "PEM",
      "listener.name.client.ssl.keystore.location": certificates.keystoreFile,
      "listener.name.client.ssl.truststore.type": "PEM",
      "listener.name.client.ssl.truststore.location": certificates.caFile,
      "listener.name.client.ssl.client.auth": "required",
    },
  });
  const secret = ["--alter", "--add-config", "SCRAM-SHA-256=[password=hers]"];
  await cluster.tool("kafka.admin.ConfigCommand", [
    ...secret,
    "--entity-type",
    "users",
    "--entity-name",
    "alice",
  ]);
}, 120_000);

afterAll(async () => {
  await cluster.close();
  rmSync(folder, { recursive: true, force: true });
});

const connect = (sasl: SaslOptions, ssl: SslOptions = { ca: certificates.ca, ...certificates.client }) =>
  new Kafka({ brokers: cluster.brokers, ssl, sasl, logger: silent });

/** A token without a signature, which only brokers in tests take. */
function tokenFor(seconds: number): OAuthToken {
  const now = Math.floor(Date.now() / 1_000);
  const part = (content: object) => Buffer.from(JSON.stringify(content)).toString("base64url");
  const claims = { sub: "alice", iat: now, exp: now + seconds };
  return {
    value: `${part({ alg: "none" })}.${part(claims)}.`,
    expiresAt: claims.exp * 1_000,
    principal: "alice",
  };
}

/** Makes a topic, writes to it in and out of a transaction, and reads it with and without a group. */
async function useEverything(kafka: Kafka): Promise<void> {
  const topic = defineTopic(uniqueName(), { value: string() });
  await kafka.admin().ensureTopics([topic]);
  await kafka
    .transactionalProducer({ transactionalId: topic.name })
    .transaction((tx) => tx.send(topic, { value: "one" }));
  await kafka.producer().send(topic, { value: "two" });
  const read: string[] = [];
  for await (const { value } of kafka.read(topic)) read.push(value);
  expect(read).toEqual(["one", "two"]);
  const consumed: string[] = [];
  const consumer = kafka.consumer(topic, { groupId: topic.name });
  const running = consumer.run(({ value }) => void consumed.push(value));
  await until("both are consumed", () => consumed.length === 2);
  await consumer.close();
  await running;
  expect(await kafka.admin().groupLag(topic.name)).toMatchObject([{ lag: 0 }]);
  expect((await kafka.health()).ok).toBe(true);
}

describe("with mutual TLS, everything works with", () => {
  test.each(["plain", "scram-sha-256"] as const)("%s", async (name) => {
    await using kafka = connect({ mechanism: name, username: "alice", password: "hers" });
    await useEverything(kafka);
  });

  test("oauthbearer, with a new token before the one before expires", async () => {
    let tokens = 0;
    const token = () => {
      tokens += 1;
      return Promise.resolve(tokenFor(4));
    };
    await using kafka = connect({ mechanism: "oauthbearer", token });
    await useEverything(kafka);
    const before = tokens;
    await until("the tokens are renewed", () => tokens > before, 10_000);
    await useEverything(kafka);
  });
});

describe("is refused at once, and says why", () => {
  test.each(["plain", "scram-sha-256"] as const)("a wrong password with %s", async (name) => {
    await using kafka = connect({ mechanism: name, username: "alice", password: "not hers" });
    const error = await errorOf(useEverything(kafka));
    expect(error).toBeInstanceOf(AuthenticationError);
  });

  const away = "the identity provider is away";
  test.each<[string, () => Promise<OAuthToken>, RegExp]>([
    ["rejects", () => Promise.reject(new Error(away)), /provider is away/],
    [
      "throws",
      () => {
        throw new Error(away);
      },
      /provider is away/,
    ],
    ["rejects with nothing", () => Promise.reject(), /undefined/],
    [
      "gives no token",
      () => Promise.resolve({ access_token: "x" } as unknown as OAuthToken),
      /expiresAt: number/,
    ],
    [
      "gives seconds",
      () => Promise.resolve({ ...tokenFor(60), expiresAt: Date.now() / 1_000 }),
      /milliseconds/,
    ],
  ])("a token provider that %s", async (_, token, message) => {
    await using kafka = connect({ mechanism: "oauthbearer", token });
    const error = await errorOf(useEverything(kafka));
    expect(error).toBeInstanceOf(AuthenticationError);
    expect(String(error)).toMatch(message);
  });

  test("a token that the broker does not take", async () => {
    const token = () => Promise.resolve({ ...tokenFor(60), value: "e30.e30." });
    await using kafka = connect({ mechanism: "oauthbearer", token });
    const error = await errorOf(useEverything(kafka));
    expect(error).toBeInstanceOf(AuthenticationError);
  });

  test("no certificate of one's own", async () => {
    await using kafka = connect(
      { mechanism: "plain", username: "alice", password: "hers" },
      { ca: certificates.ca },
    );
    const error = await errorOf(useEverything(kafka));
    expect(error).toBeInstanceOf(AuthenticationError);
  });

  test("a key that its password does not open", async () => {
    const ssl = { ca: certificates.ca, ...certificates.client, passphrase: "another one" };
    await using kafka = connect({ mechanism: "plain", username: "alice", password: "hers" }, ssl);
    const error = await errorOf(useEverything(kafka));
    expect(error).toMatchObject({ code: "CONFIG", field: "ssl.key" });
  });
});

test("the command connects with files and passwords from the environment", async () => {
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const { ca, client } = certificates;
  const ssl = `--ca ${file("trust.pem", ca)} --cert ${file("own.pem", client.cert)} --cert-key ${file("own.key", client.key)}`;
  const program = runProgram("test/support/programs/cli.ts", {
    KAFKA_BROKERS: cluster.brokers,
    KAFKA_PASSWORD: "hers",
    KAFKA_KEY_PASSPHRASE: client.passphrase,
    CLI_ARGS: `check --group ${uniqueName()} ${ssl} --sasl-mechanism plain --username alice`,
  });
  expect(await program.ended).toBe(0);
  expect(program.output()).toMatch(/ok +brokers/);
});
