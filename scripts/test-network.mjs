// npm run test:network [-- what vitest takes]
//
// Runs test/faults/network in namespaces of its own: what those tests do to addresses, packets and the names of hosts is
// seen by them and by the servers and clients that they start, and by nothing else of this machine. For Linux.
import { spawnSync } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const namespaces = ["--map-root-user", "--net", "--mount"];
const options = { cwd: root, stdio: "inherit" };

const first = spawnSync("unshare", [...namespaces, "ip", "link", "set", "lo", "up"], options);
if (first.status !== 0) {
  console.error(
    "test:network needs Linux, `unshare`, `ip` (Debian: util-linux, iproute2), and user namespaces",
  );
  process.exit(1);
}
const vitest = ["node_modules/vitest/vitest.mjs", "run", "--project", "network", ...process.argv.slice(2)];
const inside = ["sh", "-c", 'ip link set lo up && exec "$@"', "sh", process.execPath, ...vitest];
const env = { ...process.env, TYPED_KAFKA_OWN_NETWORK: "yes" };
process.exit(spawnSync("unshare", [...namespaces, ...inside], { ...options, env }).status ?? 1);
