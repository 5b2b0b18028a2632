import type { TestProject } from "vitest/node";
import { type Broker, NoBrokerError, findOrStartBroker } from "./broker.js";

declare module "vitest" {
  interface ProvidedContext {
    /** The address of the broker that all integration tests share. */
    brokers: string;
    /** Why there is none, empty where there is. */
    noBroker: string;
  }
}

/** Each project of vitest.config.ts loads this module anew, in the one process that runs them. */
const shared = globalThis as { typedKafkaTestBroker?: Promise<Broker> };

/** Starts the one broker of all projects; its address is `inject("brokers")`. */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  try {
    const broker = await (shared.typedKafkaTestBroker ??= findOrStartBroker());
    project.provide("brokers", broker.brokers);
    project.provide("noBroker", "");
    return broker.close;
  } catch (error) {
    // Thrown from here it would take the unit tests down as well: require-broker.ts throws it, in
    // every integration test file. In CI, where a broker must be, at once.
    if (!(error instanceof NoBrokerError) || process.env["CI"] !== undefined) throw error;
    project.provide("brokers", "");
    project.provide("noBroker", error.message);
    return undefined;
  }
}
