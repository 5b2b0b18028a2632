import { KafkaError } from "../errors.js";
import { processWide } from "../process-wide.js";

/** An embedded cluster of this process, as clients see it. */
export interface EmbeddedCluster {
  /**
   * Makes a topic; -1 partitions, or replicas, leave it to the cluster.
   * @throws `KafkaError`, as a broker answers
   */
  readonly createTopic: (name: string, partitions: number, replicas: number) => Promise<void>;
}

/** By address, `host:port`. */
const clusters = processWide("embedded clusters", () => new Map<string, EmbeddedCluster>());

/** Remembers an embedded cluster; returns what forgets it. */
export function registerEmbedded(brokers: readonly string[], cluster: EmbeddedCluster): () => void {
  for (const broker of brokers) clusters.set(broker, cluster);
  return () => {
    for (const broker of brokers) clusters.delete(broker);
  };
}

/** The embedded cluster of this process that these brokers are of, separated by commas. */
export function embeddedCluster(brokers: string): EmbeddedCluster | undefined {
  if (clusters.size === 0) return undefined;
  for (const broker of brokers.split(",")) {
    const cluster = clusters.get(broker.trim());
    if (cluster !== undefined) return cluster;
  }
  return undefined;
}

/** Whether these brokers are of an embedded cluster of this process, in which topics come into being when they are first used. */
export function isEmbedded(brokers: string): boolean {
  return embeddedCluster(brokers) !== undefined;
}

/** Refuses at once what the embedded cluster never answers, or what ends the process there. */
export function refuseEmbedded(brokers: string, what: string): void {
  if (isEmbedded(brokers))
    throw new KafkaError(
      "NOT_EMBEDDED",
      `${what}: not on the embedded cluster. Use a broker for it: docs/testing.md says how`,
    );
}
