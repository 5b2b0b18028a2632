import { createRequire } from "node:module";
import { isMainThread } from "node:worker_threads";
import { KafkaError } from "../errors.js";
import type { NativeBinding } from "./native.js";

let binding: NativeBinding | undefined;

/**
 * Loads the native addon, once, when the first client is made: importing the library, defining topics
 * and sharing them costs nothing and works everywhere.
 */
export function loadBinding(): NativeBinding {
  if (binding !== undefined) return binding;
  if (!isMainThread) {
    throw new KafkaError(
      "BINDING",
      "The native Kafka client works on the main thread only: make clients there and pass records to worker threads, or use child processes.",
    );
  }
  const require = createRequire(import.meta.url);
  try {
    binding = require("@confluentinc/kafka-javascript/librdkafka.js") as NativeBinding;
  } catch (cause) {
    throw new KafkaError(
      "BINDING",
      "The native Kafka client is not built for this Node.js version and platform. Its install script did not run: " +
        "with npm 12, approve it with `npm install-scripts approve @confluentinc/kafka-javascript`, then run " +
        "`npm rebuild @confluentinc/kafka-javascript`.",
      { cause },
    );
  }
  return binding;
}
