import { isMainThread } from "node:worker_threads";
import { KafkaError } from "../errors.js";
import { requireInstalled } from "../installed-package.js";
import { describeLoadFailure, packageManagerOf, type Surroundings, unsupported } from "./missing-binding.js";
import type { NativeBinding } from "./native.js";

let binding: NativeBinding | undefined;

/**
 * Loads the native addon, once, when the first client is made: importing the library, defining topics
 * and sharing them costs nothing and works everywhere.
 *
 * @throws KafkaError `BINDING` that says why it cannot be loaded, and what to do.
 */
export function loadBinding(): NativeBinding {
  if (binding !== undefined) return binding;
  const refusal = unsupported(surroundings());
  if (refusal !== undefined) throw new KafkaError("BINDING", refusal);
  try {
    // Node.js keeps one for the process, whatever the number of copies of this library.
    binding = requireInstalled("@confluentinc/kafka-javascript/librdkafka.js") as NativeBinding;
  } catch (cause) {
    throw new KafkaError("BINDING", describeLoadFailure(cause, surroundings()), { cause });
  }
  return binding;
}

function surroundings(): Surroundings {
  return {
    isMainThread,
    versions: process.versions,
    platform: `${process.platform}-${process.arch}`,
    get packageManager() {
      return packageManagerOf(process.cwd(), process.env["npm_config_user_agent"]);
    },
  };
}
