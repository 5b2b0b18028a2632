import { processWide } from "../process-wide.js";

/** The addresses of the embedded clusters that run in this process, `host:port` each. */
const addresses = processWide("embedded clusters", () => new Set<string>());

/** Remembers an embedded cluster, in which topics come into being when they are first sent to; returns what forgets it. */
export function registerEmbedded(brokers: readonly string[]): () => void {
  for (const broker of brokers) addresses.add(broker);
  return () => {
    for (const broker of brokers) addresses.delete(broker);
  };
}

/** Whether these brokers, separated by commas, are of an embedded cluster of this process. */
export function isEmbedded(brokers: string): boolean {
  return addresses.size > 0 && brokers.split(",").some((broker) => addresses.has(broker.trim()));
}
