import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** `upstream` is from the client to the broker, `downstream` from the broker to the client. */
export type Direction = "upstream" | "downstream";

/**
 * A TCP proxy on loopback that can fail on purpose. All its faults hold for the connections that are open and
 * for new ones, until {@link TcpProxy.restore}.
 *
 * - `cut()`: connections are reset and new ones refused, like a broker's machine that rebooted.
 * - `reset()`: open connections are reset, new ones work: a blink.
 * - `blackhole(direction?)`: bytes stay on the way, nobody is told: a broken network. They go on at
 *   `restore()`, as TCP would have it. A lost answer is `blackhole("downstream")`, then `cut()`.
 */
export class TcpProxy {
  /** Starts a proxy on a loopback port (any free one unless given) to a loopback port, open or not yet. */
  static async start(target: number, port = 0): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    await proxy.#listen(port);
    return proxy;
  }

  /** The port on which clients reach the proxy. */
  port = 0;

  #server: Server | undefined;
  readonly #target: number;
  readonly #sockets = new Set<Socket>();
  readonly #held: Record<Direction, PromiseWithResolvers | undefined> = {
    upstream: undefined,
    downstream: undefined,
  };

  private constructor(target: number) {
    this.#target = target;
  }

  /** The port to which it leads. */
  get target(): number {
    return this.#target;
  }

  cut(): void {
    this.#server?.close();
    this.#server = undefined;
    this.reset();
  }

  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  blackhole(direction?: Direction): void {
    for (const way of direction === undefined ? (["upstream", "downstream"] as const) : [direction]) {
      this.#held[way] ??= withResolvers();
    }
  }

  /** Ends every fault. */
  async restore(): Promise<void> {
    for (const way of ["upstream", "downstream"] as const) {
      this.#held[way]?.resolve();
      this.#held[way] = undefined;
    }
    if (this.#server === undefined) await this.#listen(this.port);
  }

  close(): void {
    this.cut();
    for (const held of Object.values(this.#held)) held?.resolve();
  }

  async #listen(port: number): Promise<void> {
    const server = createServer((client) => {
      const broker = connect({ port: this.#target, host: "127.0.0.1", noDelay: true });
      client.setNoDelay(true);
      this.#join(client, broker, "upstream");
      this.#join(broker, client, "downstream");
    });
    this.#server = server;
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    this.port = (server.address() as { port: number }).port;
  }

  #join(from: Socket, to: Socket, direction: Direction): void {
    this.#sockets.add(from);
    let last = Promise.resolve();
    const inOrder = (step: () => void) => {
      last = last.then(async () => {
        while (this.#held[direction] !== undefined) await this.#held[direction].promise;
        if (!to.destroyed) step();
      });
    };
    from.on("data", (chunk) => {
      inOrder(() => to.write(chunk));
    });
    from.on("end", () => {
      inOrder(() => to.end());
    });
    from.on("error", () => to.destroy());
    from.on("close", () => this.#sockets.delete(from));
  }
}

interface PromiseWithResolvers {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
}

function withResolvers(): PromiseWithResolvers {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
