// What a real broker does too rarely to wait for: the addon is played by the test.
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { NativeDeliveryReport, NativeError } from "../../../src/driver/native.js";
import { KafkaError } from "../../../src/errors.js";
import { resolveKafkaOptions } from "../../../src/kafka-options.js";
import { resolveTransactionOptions } from "../../../src/transactions/transaction-options.js";
import { TransactionFailure } from "../../../src/transactions/transaction-failure.js";
import { TransactionRunner } from "../../../src/transactions/transaction-runner.js";
import { type Callback, PlayedAddon } from "../producer/played-addon.js";
import { encodedRecord } from "../producer/records.js";
import { silent } from "../../support/silent.js";

interface Events {
  delivery_cb: (code: number | null, report: Partial<NativeDeliveryReport>) => void;
}

/** The native producer as the library sees it. Every call succeeds in the next turn, unless told otherwise. */
class Addon extends PlayedAddon<Events> {
  static readonly made: Addon[] = [];
  static onInit: (callback: Callback<NativeError>) => void;
  readonly taken: string[] = [];
  /** What `produce` answers for a topic, 0 unless set. */
  readonly answers = new Map<string, number>();
  onBegin: (callback: Callback<NativeError>) => void = succeed;
  onCommit: (callback: Callback<NativeError>) => void = succeed;
  onAbort: (callback: Callback<NativeError>) => void = succeed;

  constructor() {
    super();
    Addon.made.push(this);
  }

  initTransactions(_timeoutMs: number, callback: Callback<NativeError>): void {
    Addon.onInit(callback);
  }
  beginTransaction(callback: Callback<NativeError>): void {
    this.onBegin(callback);
  }
  commitTransaction(_timeoutMs: number, callback: Callback<NativeError>): void {
    this.onCommit(callback);
  }
  abortTransaction(_timeoutMs: number, callback: Callback<NativeError>): void {
    this.onAbort(callback);
  }
  produce(topic: string): number {
    const answer = this.answers.get(topic) ?? 0;
    if (answer === 0) this.taken.push(topic);
    return answer;
  }

  report(code: number, topic: string): void {
    this.events?.delivery_cb(code, { topic, partition: 0, offset: -1001, size: 1 });
  }
}

vi.mock("../../../src/driver/binding.js", () => ({
  loadBinding: () => ({ Producer: Addon, err2str: (code: number) => `error ${code}` }),
}));

const unknownPartition = -190;
const inProgress = -177;
const [state, tooLarge, unauthorized, timedOut, purged] = [-172, 10, 29, -192, -152];

function succeed(callback: Callback<NativeError>): void {
  setImmediate(callback, null);
}

/** What the native client answers to whoever asks for a transaction to begin, in one that has failed. */
function failing(code: number): (callback: Callback<NativeError>) => void {
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

async function failureOf(promise: Promise<unknown>): Promise<TransactionFailure> {
  const outcome = await promise.catch((error: unknown) => error);
  if (!(outcome instanceof TransactionFailure)) throw new Error("it did not fail as a transaction does");
  return outcome;
}

beforeEach(() => {
  Addon.made.length = 0;
  Addon.onInit = succeed;
});

describe("a transaction that the native client says has failed, without a report of why", () => {
  test("is told the reason, and that it is lasting", async () => {
    const { runner, addon } = await openTransaction();
    addon.answers.set("out", state);
    addon.onBegin = failing(unauthorized);
    runner.send("out", encodedRecord());
    const failure = await failureOf(runner.commit());
    expect(failure).toMatchObject({ remedy: "abort", error: { code: "AUTHORIZATION", nativeCode: 29 } });
    expect(await runner.rollBack(failure)).toMatchObject({ isLasting: true });
  });

  test("is told it when many ask at once, and is rolled back after that: the native client refuses two calls at a time", async () => {
    const { runner, addon } = await openTransaction();
    let underWay = 0;
    const oneAtATime =
      (answer: (callback: Callback<NativeError>) => void) => (callback: Callback<NativeError>) => {
        if (underWay > 0) {
          failing(inProgress)(callback);
          return;
        }
        underWay += 1;
        setTimeout(() => {
          underWay -= 1;
          answer(callback);
        }, 5);
      };
    addon.onBegin = oneAtATime(failing(unauthorized));
    addon.onAbort = oneAtATime(succeed);
    addon.answers.set("out", state);
    runner.send("out", encodedRecord());
    void runner.drained();
    void runner.drained();
    const failure = new TransactionFailure("commit", "abort", new KafkaError("BROKER", "it failed"));
    expect(await runner.rollBack(failure)).toMatchObject({
      remedy: "abort",
      cause: { code: "AUTHORIZATION" },
      isLasting: true,
    });
  });

  test("says which record it was once the report comes", async () => {
    const { runner, addon } = await openTransaction();
    addon.answers.set("out", state);
    addon.onBegin = failing(tooLarge);
    runner.send("out", encodedRecord());
    const failure = await failureOf(runner.commit());
    expect(failure.error).toMatchObject({ code: "RECORD_TOO_LARGE", topic: undefined });
    addon.report(timedOut, "other");
    addon.report(tooLarge, "big");
    expect(await runner.rollBack(failure)).toMatchObject({
      cause: { code: "RECORD_TOO_LARGE", topic: "big" },
      isLasting: true,
    });
  });

  test("takes the report that comes first for the reason", async () => {
    const { runner, addon } = await openTransaction();
    addon.answers.set("out", state);
    addon.onBegin = failing(unauthorized);
    runner.send("out", encodedRecord());
    addon.report(tooLarge, "big");
    const { error } = await failureOf(runner.commit());
    expect(error).toMatchObject({ code: "RECORD_TOO_LARGE", topic: "big" });
  });

  test("stays one that may succeed the next time where no reason is known", async () => {
    const { runner, addon } = await openTransaction();
    addon.answers.set("out", state);
    addon.onBegin = failing(state);
    runner.send("out", encodedRecord());
    await nextTurn();
    const failure = await failureOf(runner.commit());
    expect(failure).toMatchObject({ remedy: "abort", error: { nativeCode: state } });
    expect(await runner.rollBack(failure)).toMatchObject({ isLasting: false });
  });
});

describe("a refusal that is reported while the transaction is rolled back", () => {
  test("is known when that is done, and the next transaction has a native client of its own", async () => {
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
    const failure = new TransactionFailure("commit", "abort", new KafkaError("BROKER", "refused"));
    expect(await runner.rollBack(failure)).toMatchObject({
      cause: { code: "RECORD_TOO_LARGE", topic: "big" },
      isLasting: true,
    });
    expect(runner.isOpen).toBe(false);
    expect(addon.isDisconnected).toBe(true);
  });

  test("says nothing of a failure to begin the next one", async () => {
    const { runner, addon } = await openTransaction();
    addon.report(tooLarge, "big");
    const failure = new TransactionFailure("commit", "abort", new KafkaError("BROKER", "refused"));
    expect(await runner.rollBack(failure)).toMatchObject({
      remedy: "abort",
      cause: { code: "RECORD_TOO_LARGE" },
      isLasting: true,
    });
    Addon.onInit = failing(timedOut);
    const next = await failureOf(
      runner.open(new AbortController().signal, { deadline: 0, isPatient: false }),
    );
    expect(await runner.rollBack(next)).toMatchObject({
      remedy: "renew",
      cause: { code: "TIMEOUT" },
      isLasting: false,
    });
  });

  test("is not waited for where nothing was refused: the native client stays", async () => {
    const { runner, addon } = await openTransaction();
    runner.send("out", encodedRecord());
    await runner.abort();
    await runner.begin();
    expect(Addon.made).toEqual([addon]);
  });
});

describe("a record that is dropped by a rollback, and that a broker may have", () => {
  test("has the next transaction use a native client of its own, which gives its number to no other", async () => {
    const { runner, addon } = await openTransaction();
    runner.send("out", encodedRecord());
    addon.onAbort = (callback) => {
      addon.report(purged, "out");
      setImmediate(callback, null);
    };
    await runner.abort();
    expect(runner.isOpen).toBe(false);
    expect(addon.isDisconnected).toBe(true);
    await runner.open(new AbortController().signal, { deadline: Infinity, isPatient: false });
    await runner.begin();
    await runner.abort();
    expect(runner.isOpen).toBe(true);
  });
});

describe("a partition that the native client does not know", () => {
  test("is looked up once, and what was sent meanwhile stays in order", async () => {
    const { runner, addon } = await openTransaction();
    addon.answers.set("grown", unknownPartition);
    runner.send("grown", encodedRecord());
    const drained = runner.drained();
    runner.send("other", encodedRecord());
    expect(runner.isFull).toBe(true);
    expect(addon.taken).toEqual([]);
    addon.answers.delete("grown");
    await drained;
    await runner.commit();
    expect(addon.taken).toEqual(["grown", "other"]);
  });

  test("fails the transaction for good where it is not there", async () => {
    const { runner, addon } = await openTransaction();
    addon.answers.set("grown", unknownPartition);
    runner.send("grown", encodedRecord());
    const failure = await failureOf(runner.commit());
    expect(await runner.rollBack(failure)).toMatchObject({
      cause: { code: "UNKNOWN_PARTITION" },
      isLasting: true,
    });
  });
});

describe("a call that takes longer than its time", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test("has not failed where the process was stopped and its answer is waiting", async () => {
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

  test("is given up where there is no answer either", async () => {
    const { runner, addon } = await openTransaction();
    addon.onCommit = () => undefined;
    const failure = failureOf(runner.commit());
    await nextTurn();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(await failure).toMatchObject({
      remedy: "renew",
      error: { code: "TIMEOUT" },
      mayHaveHappened: true,
    });
  });
});
