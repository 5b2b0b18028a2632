// What a real broker cannot be made to do: the addon is played by the test, one call at a time.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { DeliveryError } from "../../../src/errors.js";
import { resolveKafkaOptions } from "../../../src/kafka-options.js";
import type { ProducerOptions } from "../../../src/producer/options.js";
import { Producer } from "../../../src/producer/producer.js";
import { bytes } from "../../../src/serde/bytes.js";
import { string } from "../../../src/serde/string.js";
import { defineTopic } from "../../../src/topic.js";
import { silent } from "../../support/silent.js";
import { type Callback, PlayedAddon } from "./played-addon.js";
import { settled } from "../../support/turns.js";

interface Events {
  event_cb: (type: string, data: unknown) => void;
  delivery_cb: (code: number | null, report: object) => void;
}

/** The native producer as the library sees it. */
class Addon extends PlayedAddon<Events> {
  static readonly made: Addon[] = [];
  readonly taken: { tag: unknown; value: string }[] = [];
  /** What `produce` answers, 0 unless set. */
  answer = 0;
  /** What it answers next, before `answer` counts. */
  answers: number[] = [];
  /** Where set, who asked for metadata waits here. */
  asked: Callback[] | undefined;

  constructor() {
    super();
    Addon.made.push(this);
  }

  override getMetadata(options: unknown, callback: Callback): void {
    if (this.asked === undefined) super.getMetadata(options, callback);
    else this.asked.push(callback);
  }
  flush(_timeoutMs: number, callback: Callback): void {
    callback(null);
  }
  produce(
    _topic: string,
    _partition: unknown,
    value: Buffer,
    _key: unknown,
    _time: unknown,
    tag: unknown,
  ): number {
    const answer = this.answers.shift() ?? this.answer;
    if (answer === 0) this.taken.push({ tag, value: value.toString() });
    return answer;
  }

  report(index: number, code: number | null, offset = 0): void {
    const [record] = this.taken.splice(index, 1);
    this.events?.delivery_cb(code, {
      topic: "t",
      partition: 0,
      offset,
      timestamp: 1,
      opaque: record?.tag,
      size: 1,
    });
  }
  die(reason: string): void {
    this.events?.event_cb("log", {
      severity: 0,
      fac: "FATAL",
      message: `[thrd:main]: Fatal error: ${reason}`,
      name: "",
    });
  }
}

vi.mock("../../../src/driver/binding.js", () => ({
  loadBinding: () => ({ Producer: Addon, err2str: (code: number) => `error ${code}` }),
}));

const topic = defineTopic("t", { value: string() });
const otherTopic = defineTopic("other", { value: string() });
const producerOf = (options: ProducerOptions = {}) =>
  new Producer(resolveKafkaOptions({ brokers: "nowhere:9092", logger: silent }), options);
const outcomeOf = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);
const values = (count: number) => Array.from({ length: count }, (_, index) => ({ value: `v${index}` }));

function addon(): Addon {
  const last = Addon.made.at(-1);
  if (last === undefined) throw new Error("nothing was made");
  return last;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance", "Date"] });
});
afterEach(() => {
  Addon.made.length = 0;
  vi.useRealTimers();
});

describe("a fatal error of the native client", () => {
  test("fails what is on its way as it is reported, and everything later at once", async () => {
    const producer = producerOf();
    const sent = outcomeOf(producer.send(topic, values(2)));
    await settled();
    addon().die("Broker: Out of order sequence number: epoch bumped");
    addon().report(0, -150);
    addon().report(0, -151);
    const failure = (await sent) as DeliveryError;
    expect(failure).toMatchObject({ name: "DeliveryError", code: "FATAL", acknowledged: 0 });
    expect(failure.message).toContain("make a new one");
    expect(failure.results.map(({ status }) => status)).toEqual(["unknown", "unknown"]);
    expect(await outcomeOf(producer.send(topic, { value: "x" }))).toMatchObject({
      name: "KafkaError",
      code: "FATAL",
    });
    await producer.close();
  });

  test("in a sendAll ends that one; the next has a native client of its own", async () => {
    const producer = producerOf();
    async function* source() {
      yield { value: "a" };
      addon().die("Broker: Out of order sequence number");
      await settled();
      yield { value: "b" };
    }
    expect(await outcomeOf(producer.sendAll(topic, source()))).toMatchObject({ code: "FATAL" });
    expect(await producer.sendAll(topic, values(3))).toEqual({ records: 3 });
    expect(Addon.made).toHaveLength(2);
    expect(Addon.made[0]?.isDisconnected).toBe(true);
    await producer.close();
  });
});

describe("a source of sendAll", () => {
  test("may use a buffer again for its next record, and is not asked for more than it gives", async () => {
    const producer = producerOf();
    const blobs = defineTopic("t", { value: bytes() });
    function* source() {
      const buffer = Buffer.alloc(1);
      for (const text of ["a", "b", "c"]) {
        buffer.write(text);
        yield { value: buffer };
      }
    }
    expect(await producer.sendAll(blobs, source())).toEqual({ records: 3 });
    expect(addon().taken.map(({ value }) => value)).toEqual(["a", "b", "c"]);
    await producer.close();
  });

  test("that waits does not hold up what it gave", async () => {
    const producer = producerOf();
    const taken: string[][] = [];
    async function* source() {
      yield { value: "a" };
      yield { value: "b" };
      await settled();
      taken.push(addon().taken.map(({ value }) => value));
      yield { value: "c" };
    }
    expect(await producer.sendAll(topic, source())).toEqual({ records: 3 });
    expect(taken).toEqual([["a", "b"]]);
    await producer.close();
  });

  test("that fails has what it gave before sent, and counted", async () => {
    const producer = producerOf();
    function* source() {
      yield { value: "a" };
      yield { value: "b" };
      throw new Error("no more");
    }
    expect(await outcomeOf(producer.sendAll(topic, source()))).toMatchObject({
      name: "DeliveryError",
      acknowledged: 2,
    });
    expect(addon().taken.map(({ value }) => value)).toEqual(["a", "b"]);
    await producer.close();
  });

  test("loses nothing, and no order, to a queue that is full now and then", async () => {
    const producer = producerOf();
    await producer.sendAll(topic, [{ value: "first" }]);
    addon().answers = [0, -184, 0, 0, -184, -184];
    const sent = producer.sendAll(topic, values(2_500));
    for (let rounds = 0; rounds < 20; rounds += 1) {
      await settled();
      await vi.advanceTimersByTimeAsync(10);
    }
    expect(await sent).toEqual({ records: 2_500 });
    expect(addon().taken.map(({ value }) => value)).toEqual([
      "first",
      ...values(2_500).map(({ value }) => value),
    ]);
    await producer.close();
  });

  test("a record of which is refused ends it: those behind are not sent", async () => {
    const producer = producerOf();
    await producer.sendAll(topic, [{ value: "first" }]);
    addon().answers = [0, 0, 10];
    expect(await outcomeOf(producer.sendAll(topic, values(10)))).toMatchObject({
      name: "DeliveryError",
      acknowledged: 2,
    });
    expect(addon().taken.map(({ value }) => value)).toEqual(["first", "v0", "v1"]);
    await producer.close();
  });
});

describe("a full native queue", () => {
  test("is waited for, never thrown", async () => {
    const producer = producerOf();
    const first = producer.send(topic, { value: "a" });
    await settled();
    addon().answer = -184;
    const second = producer.send(topic, { value: "b" });
    await settled();
    expect(addon().taken.map(({ value }) => value)).toEqual(["a"]);
    addon().answer = 0;
    await vi.advanceTimersByTimeAsync(10);
    await settled();
    expect(addon().taken.map(({ value }) => value)).toEqual(["a", "b"]);
    addon().report(0, null, 7);
    addon().report(0, null, 8);
    expect([(await first).offset, (await second).offset]).toEqual([7, 8]);
    await producer.close();
  });
});

describe("a partition that the native client does not know yet", () => {
  const unknownPartition = -190;
  const answer = (): void => {
    const asked = addon().asked ?? [];
    addon().asked = undefined;
    for (const callback of asked) callback(null, { brokers: [], topics: [] });
  };

  test("keeps the order of calls: those made while it is looked up wait behind the first", async () => {
    const producer = producerOf();
    void producer.send(topic, { value: "a" });
    void producer.send(otherTopic, { value: "other a" });
    await settled();
    addon().asked = [];
    addon().answer = unknownPartition;
    void producer.send(topic, { value: "b" });
    await settled();
    // From here the native client would take them.
    addon().answer = 0;
    void producer.send(topic, { value: "c" });
    await settled();
    void producer.send(topic, values(2));
    void producer.send(otherTopic, { value: "other b" });
    await settled();
    expect(addon().taken.map(({ value }) => value)).toEqual(["a", "other a", "other b"]);
    answer();
    void producer.send(topic, { value: "d" });
    await settled();
    const order = ["a", "other a", "other b", "b", "c", "v0", "v1", "d"];
    expect(addon().taken.map(({ value }) => value)).toEqual(order);
    for (const _ of order) addon().report(0, null, 1);
    await producer.close();
  });

  test("fails the calls to it where it is not there, and no others", async () => {
    const producer = producerOf();
    void producer.send(topic, { value: "a" });
    await settled();
    addon().asked = [];
    addon().answer = unknownPartition;
    const refused = [
      outcomeOf(producer.send(topic, { value: "b" })),
      outcomeOf(producer.send(topic, { value: "c" })),
    ];
    await settled();
    answer();
    for (const outcome of await Promise.all(refused))
      expect(outcome).toMatchObject({ code: "UNKNOWN_PARTITION", results: [{ status: "failed" }] });
    addon().answer = 0;
    void producer.send(topic, { value: "d" });
    await settled();
    expect(addon().taken.map(({ value }) => value)).toEqual(["a", "d"]);
    for (const _ of [1, 2]) addon().report(0, null, 1);
    await producer.close();
  });

  test("gives the reason why it could not be looked up to calls to it, and sends the others", async () => {
    const producer = producerOf();
    void producer.send(topic, { value: "a" });
    await settled();
    addon().asked = [];
    addon().answer = unknownPartition;
    const refused = outcomeOf(producer.send(topic, { value: "b" }));
    await settled();
    const joined = producer.send(topic, { value: "c" });
    await settled();
    addon().answers = [unknownPartition, 0];
    for (const callback of addon().asked ?? []) callback({ code: -185, message: "Local: Timed out" });
    expect(await refused).toMatchObject({ code: "TIMEOUT", retriable: true });
    await settled();
    expect(addon().taken.map(({ value }) => value)).toEqual(["a", "c"]);
    for (const _ of [1, 2]) addon().report(0, null, 1);
    await joined;
    await producer.close();
  });
});

describe("reports that never come", () => {
  test("do not keep a call from settling when the producer is closed", async () => {
    const producer = producerOf({ closeTimeoutMs: 1_000 });
    const sent = outcomeOf(producer.send(topic, values(2)));
    await settled();
    addon().report(1, null, 3);
    const closed = producer.close();
    await vi.advanceTimersByTimeAsync(1_000);
    await closed;
    const failure = (await sent) as DeliveryError;
    expect(failure.code).toBe("CLOSED");
    expect(failure.results.map(({ status }) => status)).toEqual(["unknown", "written"]);
    expect(addon().isDisconnected).toBe(true);
  });

  test("and then come after the close, change nothing", async () => {
    const producer = producerOf({ closeTimeoutMs: 0 });
    const sent = outcomeOf(producer.send(topic, { value: "a" }));
    await settled();
    const closed = producer.close();
    await vi.advanceTimersByTimeAsync(1);
    await closed;
    addon().report(0, null, 3);
    expect(await sent).toBeInstanceOf(DeliveryError);
  });
});

describe("a record that is acknowledged without an offset", () => {
  test("is written, at the offset -1, where the broker has acknowledged one of its partition before", async () => {
    const producer = producerOf();
    const first = producer.send(topic, { value: "a" });
    await settled();
    addon().report(0, null, 5);
    await first;
    const second = producer.send(topic, { value: "b" });
    await settled();
    addon().report(0, null, -1001);
    expect(await second).toMatchObject({ offset: -1 });
    await producer.close();
  });

  test("is unknown where it may be the first that the broker saw: it can have been refused", async () => {
    const producer = producerOf();
    const sent = outcomeOf(producer.send(topic, { value: "a" }));
    await settled();
    addon().report(0, null, -1001);
    expect(await sent).toMatchObject({ code: "DELIVERY", results: [{ status: "unknown" }] });
    await producer.close();
  });
});

describe("a timestamp that the broker refuses", () => {
  test("fails the batch, and may be sent again for the records that name none", async () => {
    const producer = producerOf();
    const calls = [
      producer.send(topic, { value: "a", timestamp: 1 }),
      producer.send(topic, { value: "b" }),
      producer.send(topic, [{ value: "c" }, { value: "d", timestamp: 1 }]),
    ].map(outcomeOf);
    await settled();
    for (let left = 4; left > 0; left -= 1) addon().report(0, 32);
    const refused = { code: "RECORD_REFUSED", nativeCode: 32, retriable: false };
    const bystander = { code: "DELIVERY", nativeCode: -138, retriable: true };
    const [named, unnamed, both] = await Promise.all(calls);
    expect(named).toMatchObject({ ...refused, results: [{ status: "failed", error: refused }] });
    expect(unnamed).toMatchObject({ ...bystander, results: [{ status: "failed", error: bystander }] });
    expect(both).toMatchObject({
      ...refused,
      results: [
        { status: "failed", error: bystander },
        { status: "failed", error: refused },
      ],
    });
    await producer.close();
  });
});
