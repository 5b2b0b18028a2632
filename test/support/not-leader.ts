import type { Socket } from "node:net";

/** A produce request that is answered with NOT_LEADER_OR_FOLLOWER, as by a broker that leads no more, or not yet. */
export interface NotLeader {
  readonly topic: string;
  readonly partition: number;
  /** What the request has in it, uncompressed. */
  readonly text: string;
  /** Whether the broker gets the request all the same, and writes its records. */
  readonly isWritten: boolean;
  /** The client is answered when this resolves. */
  readonly answered: Promise<unknown>;
}

/** The requests that are still to come. */
export type Refusals = { readonly of: NotLeader; readonly hit: () => void }[];

const notLeaderOrFollower = 6;

/** The answers of one connection: those of the broker, and those made here, in the order of their requests. */
export class Answers {
  readonly #refusals: Refusals;
  readonly #client: Socket;
  /** The produce requests that the broker has, by correlation id: their versions, and how some are answered. */
  readonly #produced = new Map<
    number,
    { readonly version: number; readonly refused: NotLeader | undefined }
  >();
  /** The last answer to a produce request: those made here are like it. */
  #model: { readonly frame: Buffer; readonly version: number } | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(refusals: Refusals, client: Socket) {
    this.#refusals = refusals;
    this.#client = client;
  }

  /** Whether the broker gets this produce request. */
  produce(frame: Buffer): boolean {
    const correlation = frame.readInt32BE(8);
    const index = this.#refusals.findIndex(({ of }) => frame.includes(of.text));
    const [refusal] = index < 0 ? [] : this.#refusals.splice(index, 1);
    refusal?.hit();
    if (refusal?.of.isWritten === false) {
      this.#refuse(correlation, refusal.of);
      return false;
    }
    this.#produced.set(correlation, { version: frame.readInt16BE(6), refused: refusal?.of });
    return true;
  }

  /** Passes the broker's answer on, or another one in its place. */
  answer(frame: Buffer): void {
    const correlation = frame.readInt32BE(4);
    const produced = this.#produced.get(correlation);
    this.#produced.delete(correlation);
    if (produced !== undefined) this.#model = { frame, version: produced.version };
    if (produced?.refused === undefined) this.#write(Promise.resolve(), frame);
    else this.#refuse(correlation, produced.refused);
  }

  #refuse(correlation: number, { topic, partition, answered }: NotLeader): void {
    if (this.#model === undefined)
      throw new Error("no produce request was answered on this connection before");
    const frame = Buffer.from(this.#model.frame);
    frame.writeInt32BE(correlation, 4);
    // Protocol: the topic's name, how many partitions (from version 9 on a varint), partition, error, offset.
    const at = frame.indexOf(topic) + topic.length + (this.#model.version < 9 ? 4 : 1);
    frame.writeInt32BE(partition, at);
    frame.writeInt16BE(notLeaderOrFollower, at + 4);
    frame.writeBigInt64BE(-1n, at + 6);
    this.#write(answered, frame);
  }

  #write(due: Promise<unknown>, frame: Buffer): void {
    this.#turn = Promise.all([this.#turn, due]).then(() => {
      if (!this.#client.destroyed) this.#client.write(frame);
    });
  }
}
