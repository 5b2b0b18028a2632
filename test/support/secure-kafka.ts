/**
 * One Kafka node that asks for TLS and SCRAM-SHA-512 and checks ACLs, for tests of security.
 *
 *     const kafka = await startSecureKafka({ users: { alice: "her password" } });
 *     kafka.brokers; kafka.ca                       // "localhost:21001", the authority's PEM
 *     await kafka.grant("alice", ["--producer", "--topic", "orders"]);
 *     await kafka.grant("alice", ["--consumer", "--topic", "orders", "--group", "billing"]);
 *     await kafka.addUser("bob", "his password");
 *     await kafka.createTopic("orders");
 *     await kafka.close();
 *
 * A user without a grant is refused everything, but for `admin` if you make one: that one may do all.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificates } from "./certificates.js";
import { afterThisProcess } from "./guard.js";
import { type KafkaCluster, startKafka } from "./kafka-cluster.js";
import type { Properties } from "./kafka/node.js";

export interface SecureKafka {
  readonly brokers: string;
  /** The certificate of the authority that signed the broker's, PEM. */
  readonly ca: string;
  /** The cluster underneath, for `tool` and `nodes`. */
  readonly cluster: KafkaCluster;
  /** Adds a user or changes its password. */
  readonly addUser: (name: string, password: string) => Promise<void>;
  /** Adds ACLs; the flags are AclCommand's. */
  readonly grant: (user: string, flags: readonly string[]) => Promise<void>;
  /** Takes them away again. */
  readonly revoke: (user: string, flags: readonly string[]) => Promise<void>;
  readonly createTopic: (name: string, partitions?: number) => Promise<void>;
  readonly close: () => Promise<void>;
}

export interface SecureKafkaOptions {
  /** Users to begin with, name to password: quicker than `addUser`. */
  readonly users?: Readonly<Record<string, string>>;
  /** More server properties. */
  readonly properties?: Properties;
}

export async function startSecureKafka(options: SecureKafkaOptions = {}): Promise<SecureKafka> {
  const folder = mkdtempSync(join(tmpdir(), "typed-kafka-tls-"));
  const keepFolder = afterThisProcess("rm", "-rf", folder);
  const removeFolder = () => {
    rmSync(folder, { recursive: true, force: true });
    keepFolder();
  };
  try {
    const { ca, keystoreFile } = await makeCertificates(folder);
    const scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
    const cluster = await startKafka({
      clientProtocol: "SASL_SSL",
      scramUsers: options.users ?? {},
      properties: {
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.client.scram-sha-512.sasl.jaas.config": scram,
        "listener.name.client.ssl.keystore.type": "PEM",
        "listener.name.client.ssl.keystore.location": keystoreFile,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        // The nodes and the tools come by the internal listener, where nobody has a name.
        "super.users": "User:admin;User:ANONYMOUS",
        ...options.properties,
      },
    });
    const acl = async (change: "--add" | "--remove", user: string, flags: readonly string[]) => {
      const force = change === "--remove" ? ["--force"] : [];
      const principal = ["--allow-principal", `User:${user}`];
      await cluster.tool("org.apache.kafka.tools.AclCommand", [change, ...force, ...principal, ...flags]);
    };
    return {
      brokers: cluster.brokers,
      ca,
      cluster,
      addUser: async (name, password) => {
        const secret = ["--add-config", `SCRAM-SHA-512=[password=${password}]`];
        const user = ["--entity-type", "users", "--entity-name", name];
        await cluster.tool("kafka.admin.ConfigCommand", ["--alter", ...secret, ...user]);
      },
      grant: (user, flags) => acl("--add", user, flags),
      revoke: (user, flags) => acl("--remove", user, flags),
      createTopic: async (name, partitions = 1) => {
        const create = ["--create", "--topic", name, "--partitions", String(partitions)];
        await cluster.tool("org.apache.kafka.tools.TopicCommand", create);
      },
      close: async () => {
        await cluster.close();
        removeFolder();
      },
    };
  } catch (error) {
    removeFolder();
    throw error;
  }
}

/** What a `Kafka` of this user is made with. */
export function accessOf({ brokers, ca }: SecureKafka, username: string, password: string) {
  return { brokers, ssl: { ca }, sasl: { mechanism: "scram-sha-512", username, password } } as const;
}
