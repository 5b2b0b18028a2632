import { createServer } from "node:net";

// Below the range from which systems take the ports of outgoing connections: a broker that is down for a
// moment would otherwise find its port taken by a client that tries to reach it.
const lowest = 20_000;
const highest = 32_000;

const given = new Set<number>();

/** A loopback port on which nobody listens now and that no earlier call in this process returned. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest));
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port)) return port;
  }
}

/** Whether nobody listens on a loopback port. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => {
      resolve(false);
    });
    server.listen(port, "127.0.0.1", () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}
