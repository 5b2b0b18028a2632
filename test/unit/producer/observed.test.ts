import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import {
  DeliveryError,
  KafkaError,
  TimeoutError,
  TransactionOutcomeUnknownError,
} from "../../../src/errors.js";
import { observeSend, observeTransaction, sendActivity } from "../../../src/producer/observed.js";
import { Encoders } from "../../../src/serde/encoders.js";
import { TransactionSends } from "../../../src/transactions/transaction.js";
import { string } from "../../../src/serde/string.js";
import { ClientTelemetry } from "../../../src/telemetry/client-telemetry.js";
import { defineTopic } from "../../../src/topic.js";
import { silent } from "../../support/silent.js";

const topic = defineTopic("t", { value: string(), tombstones: true });

/** Telemetry that notes how what it is told of ends. */
function noting() {
  const ended: unknown[] = [];
  const begin = () => ({ end: (end: unknown) => void ended.push(end) });
  const telemetry = new ClientTelemetry({ onSend: begin, onTransaction: begin }, { clientId: "c" }, silent);
  return { telemetry, ended };
}

test("a call is told with its one record's key and tombstone, or with the number of its records", () => {
  const common = { topic: "t", isTransactional: false };
  expect(sendActivity(topic, { value: null, key: "k" }, false)).toEqual({
    ...common,
    batch: undefined,
    key: "k",
    isTombstone: true,
  });
  expect(sendActivity(topic, [{ value: "v", key: "k" }], false)).toEqual({
    ...common,
    batch: 1,
    isTombstone: false,
  });
  // It is the encoder that refuses it.
  expect(sendActivity(topic, null as never, false)).toMatchObject({ isTombstone: false });
});

test("of a send that failed, what was written is told apart from what was not, or may not have been", async () => {
  const written = { topic: "t", partition: 0, offset: 1, timestamp: 2 };
  const reason = new KafkaError("BROKER", "no");
  const error = new DeliveryError("no", {
    acknowledged: 1,
    results: [
      { status: "written", metadata: written },
      { status: "failed", error: reason },
      { status: "unknown", error: reason },
    ],
  });
  const early = new TimeoutError("no turn");
  const { telemetry, ended } = noting();
  for (const failure of [error, early]) {
    const sending = observeSend(
      telemetry,
      sendActivity(topic, [], false),
      () => Promise.reject(failure),
      () => ({ sent: 3, failed: 0 }),
    );
    await expect(sending).rejects.toBe(failure);
  }
  expect(ended).toEqual([
    { sent: 1, failed: 2, error },
    { sent: 0, failed: 0, error: early },
  ]);
});

test("of a transaction it is told whether it was committed, was not, or nobody knows", async () => {
  const { telemetry, ended } = noting();
  const mine = new Error("mine");
  const unknown = new TransactionOutcomeUnknownError("lost");
  expect(await observeTransaction(telemetry, "x", () => Promise.resolve(7))).toBe(7);
  for (const error of [mine, unknown])
    await expect(observeTransaction(telemetry, "x", () => Promise.reject(error))).rejects.toBe(error);
  expect(ended).toEqual([
    { outcome: "committed" },
    { error: mine, outcome: "aborted" },
    { error: unknown, outcome: "unknown" },
  ]);
});

test("a failed send that nobody looks at is an unhandled rejection, but for a transaction's, which fails with it", async () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  process.on("unhandledRejection", note);
  const { telemetry } = noting();
  const mine = new Error("mine");
  void observeSend(
    telemetry,
    sendActivity(topic, [], false),
    () => Promise.reject(mine),
    () => ({ sent: 0, failed: 0 }),
  );
  const tx = new TransactionSends(new Encoders(), () => undefined, telemetry);
  void tx.send(topic, { value: 7 as unknown as string });
  // Node tells of a rejection in the turn after it.
  await nextTurn();
  await nextTurn();
  process.off("unhandledRejection", note);
  expect(unhandled).toEqual([mine]);
  expect(() => tx.finish()).toThrow("expected a string");
});
