// What a real broker does too rarely to wait for: the addon is played by the test.
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { NativeDeliveryReport, NativeError } from "../../../src/driver/native.js";
import { resolveKafkaOptions } from "../../../src/kafka-options.js";
import { resolveTransactionOptions } from "../../../src/producer/transaction-options.js";
import { TransactionFailure, TransactionRunner } from "../../../src/producer/transaction-runner.js";
import { encodedRecord } from "./records.js";

type Callback = (error: NativeError | null, result?: unknown) => void;
interface Events {
  delivery_cb: (code: number | null, report: Partial<NativeDeliveryReport>) => void;
}

/** The native producer as the library sees it. Every call succeeds in the next turn, unless told otherwise. */
class Addon {
  static readonly made: Addon[] = [];
  readonly taken: string[] = [];
  /** What `produce` answers for a topic, 0 unless set. */
  readonly answers = new Map<string, number>();
  isDisconnected = false;
  onBegin: (callback: Callback) => void = succeed;
  onCommit: (callback: Callback) => void = succeed;
  onAbort: (callback: Callback) => void = succeed;
  #events: Events | undefined;

  constructor() {
    Addon.made.push(this);
  }

  configureCallbacks(_add: boolean, { event }: { event: Events }): void {
    this.#events = event;
  }
  connect(callback: Callback): void {
    callback(null);
  }
  disconnect(callback: Callback): void {
    this.isDisconnected = true;
    callback(null);
  }
  getMetadata(_options: unknown, callback: Callback): void {
    callback(null, { brokers: [], topics: [] });
  }
  setPollInBackground(): void {
    // Its reports come when the test says so.
  }
  initTransactions(_timeoutMs: number, callback: Callback): void {
    succeed(callback);
  }
  beginTransaction(callback: Callback): void {
    this.onBegin(callback);
  }
  commitTransaction(_timeoutMs: number, callback: Callback): void {
    this.onCommit(callback);
  }
  abortTransaction(_timeoutMs: number, callback: Callback): void {
    this.onAbort(callback);
  }
  produce(topic: string): number {
    const answer = this.answers.get(topic) ?? 0;
    if (answer === 0) this.taken.push(topic);
    return answer;
  }

  report(code: number, topic: string): void {
    this.#events?.delivery_cb(code, { topic, partition: 0, offset: -1001, size: 1 });
  }
}

vi.mock("../../../src/driver/binding.js", () => ({
  loadBinding: () => ({ Producer: Addon, err2str: (code: number) => `error ${code}` }),
}));

const unknownPartition = -190;
const [state, tooLarge, unauthorized, timedOut, purged] = [-172, 10, 29, -192, -152];
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

function succeed(callback: Callback): void {
  setImmediate(callback, null);
}

/** What the native client answers to whoever asks for a transaction to begin, in one that has failed. */
function failing(code: number): (callback: Callback) => void {
  return (callback) => {
    setImmediate(callback, { code, message: `why it failed: ${code}` });
  };
}

async function openTransaction(): Promise<{ runner: TransactionRunner; addon: Addon }> {
  const config = resolveKafkaOptions({ brokers: "nowhere:9092", logger: silent });
  const options = resolveTransactionOptions({ transactionalId: "t" }, config.properties);
  const runner = new TransactionRunner(config, options);
  await runner.open(new AbortController().signal, { deadline: Infinity, isPatient: false });
  await runner.begin();
  const addon = Addon.made.at(-1);
  if (addon === undefined) throw new Error("nothing was made");
  return { runner, addon };
}

const errorOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "it succeeded",
    (error: unknown) => error,
  );

afterEach(() => {
  Addon.made.length = 0;
});

describe("a transaction that the native client says has failed, without a report of why", () => {
  it("is told the reason, and that it is lasting", async () => {
    const { runner, addon } = await openTransaction();
    addon.answers.set("out", state);
    addon.onBegin = failing(unauthorized);
    runner.send("out", encodedRecord());
    const failure = await errorOf(runner.commit());
    expect(failure).toBeInstanceOf(TransactionFailure);
    expect(failure).toMatchObject({ remedy: "abort", error: { code: "AUTHORIZATION", nativeCode: 29 } });
    expect(runner.failure?.isPermanent).toBe(true);
  });

  it("says which record it was once the report comes", async () => {
    const { runner, addon } = await openTransaction();
    addon.answers.set("out", state);
    addon.onBegin = failing(tooLarge);
    runner.send("out", encodedRecord());
    await runner.drained();
    expect(runner.failure).toMatchObject({ error: { code: "RECORD_TOO_LARGE" }, isPermanent: true });
    addon.report(timedOut, "other");
    addon.report(tooLarge, "big");
    expect(runner.failure).toMatchObject({
      error: { code: "RECORD_TOO_LARGE", topic: "big" },
      isPermanent: true,
    });
  });

  it("takes the report that comes first for the reason", async () => {
    const { runner, addon } = await openTransaction();
    addon.answers.set("out", state);
    addon.onBegin = failing(unauthorized);
    runner.send("out", encodedRecord());
    addon.report(tooLarge, "big");
    await runner.drained();
    expect(runner.failure?.error).toMatchObject({ code: "RECORD_TOO_LARGE", topic: "big" });
  });

  it("stays one that may succeed the next time where no reason is known", async () => {
    const { runner, addon } = await openTransaction();
    addon.answers.set("out", state);
    addon.onBegin = failing(state);
    runner.send("out", encodedRecord());
    await nextTurn();
    expect(await errorOf(runner.commit())).toMatchObject({ remedy: "abort", error: { nativeCode: state } });
    expect(runner.failure?.isPermanent).toBe(false);
  });
});

describe("a refusal that is reported while the transaction is rolled back", () => {
  it("is known when that is done, and the next transaction has a native client of its own", async () => {
    const { runner, addon } = await openTransaction();
    runner.send("big", encodedRecord());
    addon.onAbort = (callback) => {
      setImmediate(() => {
        callback(null);
        // It stands behind those of the records that were dropped, of which the addon gives 100 in a turn.
        let turns = 5;
        const turn = (): void => {
          for (let index = 0; index < 100; index += 1) addon.report(purged, "big");
          turns -= 1;
          if (turns > 0) setImmediate(turn);
          else addon.report(tooLarge, "big");
        };
        turn();
      });
    };
    await runner.abort();
    expect(runner.failure).toMatchObject({
      error: { code: "RECORD_TOO_LARGE", topic: "big" },
      isPermanent: true,
    });
    expect(runner.isOpen).toBe(false);
    expect(addon.isDisconnected).toBe(true);
  });

  it("is not waited for where nothing was refused: the native client stays", async () => {
    const { runner, addon } = await openTransaction();
    runner.send("out", encodedRecord());
    await runner.abort();
    expect(runner.failure).toBeUndefined();
    await runner.begin();
    expect(Addon.made).toEqual([addon]);
  });
});

describe("a partition that the native client does not know", () => {
  it("is looked up once, and what was sent meanwhile stays in order", async () => {
    const { runner, addon } = await openTransaction();
    addon.answers.set("grown", unknownPartition);
    runner.send("grown", encodedRecord());
    runner.send("other", encodedRecord());
    expect(runner.isFull).toBe(true);
    expect(addon.taken).toEqual([]);
    addon.answers.delete("grown");
    await runner.commit();
    expect(addon.taken).toEqual(["grown", "other"]);
  });

  it("fails the transaction for good where it is not there", async () => {
    const { runner, addon } = await openTransaction();
    addon.answers.set("grown", unknownPartition);
    runner.send("grown", encodedRecord());
    expect(await errorOf(runner.commit())).toMatchObject({ error: { code: "UNKNOWN_PARTITION" } });
    expect(runner.failure?.isPermanent).toBe(true);
  });
});

describe("a call that takes longer than its time", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("has not failed where the process was stopped and its answer is waiting", async () => {
    const { runner, addon } = await openTransaction();
    let answer: () => void = () => undefined;
    addon.onCommit = (callback) => {
      answer = () => {
        callback(null);
      };
    };
    const committed = runner.commit();
    await nextTurn();
    // Timers come before answers: the process goes on after a minute.
    vi.advanceTimersByTime(60_000);
    await nextTurn();
    answer();
    await committed;
  });

  it("is given up where there is no answer either", async () => {
    const { runner, addon } = await openTransaction();
    addon.onCommit = () => undefined;
    const failure = errorOf(runner.commit());
    await nextTurn();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(await failure).toMatchObject({
      remedy: "renew",
      error: { code: "TIMEOUT" },
      mayHaveHappened: true,
    });
  });
});
