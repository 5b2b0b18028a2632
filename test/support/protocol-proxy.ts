import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import type { KafkaCluster } from "./kafka-cluster.js";
import { Answers, type NotLeader, type Refusals } from "./not-leader.js";

/** Requests of transactions and of groups in Kafka's protocol, by their keys; `produce` is one inside a transaction. */
export const requests = {
  produce: 0,
  "list offsets": 2,
  "find coordinator": 10,
  "join group": 11,
  "sync group": 14,
  init: 22,
  "add partitions": 24,
  "add offsets": 25,
  end: 26,
  "commit offsets": 28,
  "group heartbeat": 68,
} as const;

export type Request = keyof typeof requests;

/**
 * What happens to a request: `cut` (the connection breaks before the broker gets it), `lost answer` (the
 * broker does it, and the connection breaks before the answer arrives) or `silence` (the broker does it,
 * and nothing comes back on that connection).
 */
export type Fault = "cut" | "lost answer" | "silence";

/** Stands between clients and all nodes of a cluster started with `proxied: true`, and fails single requests. */
export class ProtocolProxy {
  static async start(cluster: KafkaCluster): Promise<ProtocolProxy> {
    const proxy = new ProtocolProxy();
    for (const { proxy: tcp } of cluster.nodes) {
      if (tcp === undefined) throw new Error("the cluster is not proxied");
      const { port, target } = tcp;
      tcp.cut();
      await proxy.#listen(port, target);
    }
    return proxy;
  }

  #armed:
    | { readonly key: number; readonly fault: Fault | "held"; readonly hit: (broker: Socket) => void }
    | undefined;
  readonly #refusals: Refusals = [];
  readonly #close: (() => void)[] = [];
  readonly #clients = new Set<Socket>();
  #isRefusing = false;

  /** Fails the next request of this kind, once; resolves when it has. */
  async fail(request: Request, fault: Fault): Promise<void> {
    await this.#hit(request, fault);
  }

  /**
   * Lets the next request of this kind pass, and holds all answers on its connection. Resolves when that has begun, to
   * what ends it.
   */
  async hold(request: Request): Promise<() => void> {
    const broker = await this.#hit(request, "held");
    return () => void broker.resume();
  }

  /** Has the next produce request with this text answered so, on a connection that has had one answered before. Resolves when it has come. */
  notLeader(of: NotLeader): Promise<void> {
    return new Promise((hit) => {
      this.#refusals.push({ of, hit });
    });
  }

  #hit(request: Request, fault: Fault | "held"): Promise<Socket> {
    return new Promise((hit) => {
      this.#armed = { key: requests[request], fault, hit };
    });
  }

  /** While `true`, every connection to every node is broken, and so are new ones. */
  refuse(isRefusing: boolean): void {
    this.#isRefusing = isRefusing;
    if (isRefusing) for (const client of this.#clients) client.resetAndDestroy();
  }

  close(): void {
    for (const close of this.#close) close();
  }

  async #listen(port: number, target: number): Promise<void> {
    const server = createServer((client) => {
      if (this.#isRefusing) {
        client.resetAndDestroy();
        return;
      }
      this.#clients.add(client);
      client.on("close", () => this.#clients.delete(client));
      this.#join(client, connect({ port: target, host: "127.0.0.1", noDelay: true }));
    });
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    this.#close.push(() => server.close());
  }

  #join(client: Socket, broker: Socket): void {
    client.setNoDelay(true);
    let lost: { readonly correlation: number; readonly fault: Fault } | undefined;
    let isSilent = false;
    const answers = new Answers(this.#refusals, client);
    const breakBoth = (): void => {
      client.resetAndDestroy();
      broker.destroy();
    };
    eachFrame(client, (frame) => {
      const armed = this.#armed;
      if (armed?.key === frame.readInt16BE(4) && (armed.key !== requests.produce || isOfTransaction(frame))) {
        this.#armed = undefined;
        armed.hit(broker);
        if (armed.fault === "cut") {
          breakBoth();
          return;
        }
        if (armed.fault === "held") broker.pause();
        else lost = { correlation: frame.readInt32BE(8), fault: armed.fault };
      }
      if (frame.readInt16BE(4) === requests.produce && !answers.produce(frame)) return;
      if (!broker.destroyed) broker.write(frame);
    });
    eachFrame(broker, (frame) => {
      if (lost?.correlation === frame.readInt32BE(4)) {
        if (lost.fault === "lost answer") {
          breakBoth();
          return;
        }
        isSilent = true;
      }
      if (!isSilent) answers.answer(frame);
    });
    for (const [from, to] of [
      [client, broker],
      [broker, client],
    ] as const) {
      from.on("error", () => to.destroy());
      from.on("close", () => to.destroy());
    }
  }
}

/** Whether a produce request has a transactional id. Protocol: from version 9 on its length is a varint, and 0 for none. */
function isOfTransaction(frame: Buffer): boolean {
  const version = frame.readInt16BE(6);
  const afterClientId = 14 + Math.max(0, frame.readInt16BE(12));
  return version < 9 ? frame.readInt16BE(afterClientId) >= 0 : frame.readUInt8(afterClientId + 1) > 0;
}

/** Kafka's frames: a length of four bytes and as many bytes. */
function eachFrame(socket: Socket, take: (frame: Buffer) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= 4) {
      const end = 4 + rest.readInt32BE(0);
      if (rest.length < end) return;
      const frame = rest.subarray(0, end);
      rest = rest.subarray(end);
      take(frame);
    }
  });
}
