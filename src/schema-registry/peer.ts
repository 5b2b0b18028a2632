import { ConfigError } from "../errors.js";
import { requireInstalled } from "../installed-package.js";

/**
 * A package that is the user's to install, loaded when it is needed and not before.
 *
 * @param serde - what needs it
 * @throws `ConfigError` where it is not installed
 */
export function loadPeer(serde: string, name: "avsc" | "@bufbuild/protobuf", part = ""): unknown {
  try {
    return requireInstalled(`${name}${part}`);
  } catch (error) {
    const isMissing =
      error instanceof Error &&
      "code" in error &&
      error.code === "MODULE_NOT_FOUND" &&
      error.message.includes(name);
    if (!isMissing) throw error;
    throw new ConfigError(serde, `needs the package ${name}, which is not installed: npm install ${name}`, {
      cause: error,
    });
  }
}
