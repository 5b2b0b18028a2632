import { Kafka, type Logger } from "typed-kafka";
import { type KafkaCluster, type KafkaClusterOptions, startKafka } from "./kafka-cluster.js";
import { ProtocolProxy } from "./protocol-proxy.js";
import { silent } from "./silent.js";

/** A cluster of its own, the proxy that stands before it, and a client that knows it by the proxy alone. */
export interface ProxiedKafka {
  readonly cluster: KafkaCluster;
  readonly proxy: ProtocolProxy;
  readonly kafka: Kafka;
  /** Ends all three. */
  readonly close: () => Promise<void>;
}

export async function startProxiedKafka({
  nodes,
  logger = silent,
}: Pick<KafkaClusterOptions, "nodes"> & { readonly logger?: Logger } = {}): Promise<ProxiedKafka> {
  const cluster = await startKafka({ ...(nodes !== undefined && { nodes }), proxied: true });
  const proxy = await ProtocolProxy.start(cluster);
  const kafka = new Kafka({ brokers: cluster.brokers, connectTimeoutMs: 30_000, logger });
  const close = async (): Promise<void> => {
    await kafka.close();
    proxy.close();
    await cluster.close();
  };
  return { cluster, proxy, kafka, close };
}
