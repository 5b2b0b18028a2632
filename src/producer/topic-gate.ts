import { nativeCodes } from "../driver/native-errors.js";
import type { NativeProducer } from "../driver/native-producer.js";
import { KafkaError } from "../errors.js";
import type { EncodedRecord } from "../record.js";
import { Leaders } from "./leaders.js";
import type { PartitionerFunction } from "./options.js";
import { Partitions } from "./partitions.js";
import type { SendCall } from "./send-call.js";

const metadataTimeoutMs = 2_000;

/** What a {@link TopicGate} needs, and where calls go from it. */
export interface TopicGateOptions {
  /** The native client, as soon as it is connected. */
  readonly connect: () => Promise<NativeProducer>;
  readonly partitioner: PartitionerFunction | undefined;
  /** How old the known number of partitions may be. */
  readonly maxAgeMs: number;
  /** How long to ask for a topic while no broker answers. */
  readonly timeoutMs: number;
  /** The call's records have the partitions that they name or that the partitioner chose. */
  readonly onReady: (call: SendCall, records: readonly EncodedRecord[]) => void;
  /** Calls whose topic has been looked up again; they go in front of those that came after them. */
  readonly onLookedUp: (calls: readonly SendCall[]) => void;
}

/**
 * Holds calls that cannot be sent yet: while their records are serialized, until the leaders of their topic have
 * begun, and until its number of partitions is known where that is needed. The calls of one topic leave it in the
 * order in which they came.
 */
export class TopicGate {
  readonly partitions: Partitions;
  readonly #leaders: Leaders;
  readonly #onReady: TopicGateOptions["onReady"];
  readonly #onLookedUp: TopicGateOptions["onLookedUp"];
  readonly #held = new Set<SendCall>();
  #records = 0;
  /** By topic: when the last call that needs the number of partitions has left. */
  readonly #lines = new Map<string, Promise<void>>();
  /** By topic that is being looked up again: the calls that wait for that, in order. */
  readonly #lookUps = new Map<string, SendCall[]>();

  constructor({ connect, partitioner, maxAgeMs, timeoutMs, onReady, onLookedUp }: TopicGateOptions) {
    this.#leaders = new Leaders(connect);
    this.partitions = new Partitions({
      ask: async (topic) => (await connect()).partitionCount(topic, metadataTimeoutMs),
      partitioner,
      maxAgeMs,
      timeoutMs,
    });
    this.#onReady = onReady;
    this.#onLookedUp = onLookedUp;
  }

  /** How many records are held, in all calls together. */
  get records(): number {
    return this.#records;
  }

  /** The calls that are held. */
  get calls(): Iterable<SendCall> {
    return this.#held;
  }

  /** Holds the call until `work` has ended, and goes on with its result; where it fails the call does. */
  hold<Result>(call: SendCall, work: Promise<Result>, goOn: (result: Result) => void): void {
    this.#add(call);
    work.then(
      (result) => {
        this.#remove(call);
        // The call may be held once more.
        goOn(result);
      },
      (error: unknown) => {
        this.#remove(call);
        call.giveUp(error);
      },
    );
  }

  /** Takes a call whose records have been checked; it leaves through `onReady`, at once where nothing is to be known. */
  enter(call: SendCall, records: readonly EncodedRecord[]): void {
    const look = this.#leaders.look(call.topic);
    if (look === undefined) this.#choose(call, records);
    else
      this.hold(call, look, () => {
        this.#choose(call, records);
      });
  }

  /** Holds a call whose turn has come while its topic is being looked up again. `false`: it is not, so the call goes on. */
  joins(call: SendCall): boolean {
    const waiting = this.#lookUps.get(call.topic);
    if (waiting === undefined) return false;
    waiting.push(call);
    this.#add(call);
    return true;
  }

  /**
   * What to do about the first record of a call that the native client refused with `code`: the call is `held`
   * while its topic is looked up again, once; or the reason why that failed; or nothing.
   */
  lookUp(call: SendCall, code: number): "held" | KafkaError | undefined {
    const mayBeNew = code === nativeCodes.unknownTopic || code === nativeCodes.unknownPartition;
    if (!mayBeNew || call.next > 0 || call.lookUp === "done") return undefined;
    if (call.lookUp !== undefined) return call.lookUp;
    this.#lookUp(call);
    return "held";
  }

  /**
   * The native client remembers for `metadataMaxAgeMs` that there was no such topic or partition. Asking makes it
   * look: what was made since can be sent to at once. Later calls for the topic wait too, or those to a partition
   * that is found meanwhile would overtake the ones that waited for it.
   */
  #lookUp(call: SendCall): void {
    this.#lookUps.set(call.topic, []);
    this.joins(call);
    const lookedUp = (outcome: "done" | KafkaError): void => {
      const waiting = this.#lookUps.get(call.topic) ?? [];
      this.#lookUps.delete(call.topic);
      for (const each of waiting) {
        each.lookUp = outcome;
        this.#remove(each);
      }
      this.#onLookedUp(waiting.filter(({ isSettled }) => !isSettled));
    };
    this.partitions.lookUp(call.topic).then(
      () => {
        lookedUp("done");
      },
      (error: unknown) => {
        const isOwn = error instanceof KafkaError;
        lookedUp(isOwn ? error : new KafkaError("DELIVERY", String(error), { cause: error }));
      },
    );
  }

  /** Calls that need to know the number of partitions wait for that, and those after them behind them. */
  #choose(call: SendCall, records: readonly EncodedRecord[]): void {
    if (call.isSettled) return;
    const { topic } = call;
    try {
      const before = this.#lines.get(topic);
      const chosen =
        before === undefined
          ? this.#chosenFor(call, records)
          : before.then(() => this.#chosenFor(call, records));
      if (!(chosen instanceof Promise)) {
        this.#onReady(call, chosen);
        return;
      }
      this.hold(call, chosen, (ready) => {
        this.#onReady(call, ready);
      });
      const line = Promise.allSettled([chosen]).then(() => {
        if (this.#lines.get(topic) === line) this.#lines.delete(topic);
      });
      this.#lines.set(topic, line);
    } catch (error) {
      call.giveUp(error);
    }
  }

  #chosenFor(
    call: SendCall,
    records: readonly EncodedRecord[],
  ): readonly EncodedRecord[] | Promise<readonly EncodedRecord[]> {
    return call.isSettled || !this.partitions.areNeededFor(records)
      ? records
      : this.partitions.choose(call.topic, records);
  }

  #add(call: SendCall): void {
    this.#held.add(call);
    this.#records += call.remaining;
  }

  #remove(call: SendCall): void {
    this.#held.delete(call);
    this.#records -= call.remaining;
  }
}
