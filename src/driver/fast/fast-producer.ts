import type { EncodedRecord } from "../../record.js";
import type { LentConsumer } from "../consume-path.js";
import { nativeCodes } from "../native-errors.js";
import type { NativeCallback, NativeError, NativeOffset, NativeProperties } from "../native.js";
import type { OnReport, ProducePath, Refused } from "../produce-path.js";
import { type Addon, type AddonProducer, errorFlags, pluginProperties } from "./addon.js";
import { endOfCall, flag, Orders } from "./orders.js";

/** What one report is: `Report` in `native/reports.h`. */
const report = { bytes: 32, partition: 6, code: 7 };

/** Many records in a call, as one piece of memory, and their reports in bursts. */
export class FastProducer implements ProducePath {
  readonly properties: NativeProperties;
  /** Never: it would take the numbers of records for addresses. */
  readonly onDelivery = undefined;
  readonly #addon: Addon;
  readonly #token: string;
  readonly #onReport: OnReport;
  #producer: AddonProducer | undefined;
  #isReleased = false;
  /** The topics by the numbers that the addon gives them, and the other way round. */
  readonly #names: string[] = [];
  readonly #topics = new Map<string, number>();
  /** The number of its topic, by each record's tag. */
  readonly #topicOf: number[] = [];
  /** There from `open` to `close`: the binding never lets go of a client, and of what that refers to. */
  #orders: Orders | undefined;

  constructor(
    { addon, file }: { readonly addon: Addon; readonly file: string },
    properties: NativeProperties,
    onReport: OnReport,
  ) {
    const plugin = pluginProperties(file, properties);
    this.#addon = addon;
    this.#token = plugin.token;
    // The binding is to make nothing of reports.
    this.properties = { ...plugin.properties, "delivery.report.only.error": true };
    this.#onReport = onReport;
  }

  open(): void {
    this.#orders = new Orders();
    this.#producer = new this.#addon.Producer(this.#token, () => {
      this.takeReports();
    });
  }

  produce(
    topic: string,
    records: readonly EncodedRecord[],
    tags: readonly number[] | undefined,
    areTold: boolean,
  ): Refused | undefined {
    for (let from = 0; from < records.length;) {
      const to = endOfCall(records, from);
      const refused = this.#call(topic, records, tags, areTold, from, to);
      if (refused !== undefined) return { queued: from + refused[0], code: refused[1] };
      from = to;
    }
    return undefined;
  }

  takeReports(): boolean {
    const buffer = this.#producer?.takeReports();
    if (buffer === undefined) return true;
    const numbers = new Float64Array(buffer);
    const integers = new Int32Array(buffer);
    for (let index = 0; index < buffer.byteLength / report.bytes; index += 1) {
      const id = numbers[index * 4] ?? 0;
      const isTagged = (id & flag.tagged) !== 0;
      const number = id >>> flag.bits;
      const topic = this.#names[isTagged ? (this.#topicOf[number] ?? 0) : number] ?? "";
      this.#onReport(
        integers[index * 8 + report.code] ?? nativeCodes.state,
        isTagged ? number : undefined,
        topic,
        integers[index * 8 + report.partition] ?? -1,
        numbers[index * 4 + 1] ?? -1,
        numbers[index * 4 + 2] ?? -1,
      );
    }
    return true;
  }

  askLeaders = (
    topic: string,
    partitions: number,
    timeoutMs: number,
    onAnswer: (code: number) => void,
  ): void => {
    this.#addon.askLeaders(this.#token, topic, partitions, timeoutMs, onAnswer);
  };

  sendOffsets(
    offsets: readonly NativeOffset[],
    { token }: LentConsumer,
    timeoutMs: number,
    callback: NativeCallback,
  ): void {
    const flat = offsets.flatMap(({ topic, partition, offset, metadata = "" }) => [
      topic,
      partition,
      offset,
      metadata,
    ]);
    this.#addon.sendOffsets(this.#token, token ?? "", flat, timeoutMs, (code, message, flags) => {
      const error: NativeError = {
        code,
        message,
        isFatal: (flags & errorFlags.fatal) !== 0,
        isRetriable: (flags & errorFlags.retriable) !== 0,
        isTxnRequiresAbort: (flags & errorFlags.requiresAbort) !== 0,
      };
      callback(code === 0 ? null : error, undefined);
    });
  }

  release(): void {
    this.#isReleased = true;
    this.#producer?.release();
  }

  close(): void {
    this.#producer?.close();
    this.#producer = undefined;
    this.#orders = undefined;
  }

  /** Produces the records `[from, to)`: see {@link AddonProducer.produce}. */
  #call(
    topic: string,
    records: readonly EncodedRecord[],
    tags: readonly number[] | undefined,
    areTold: boolean,
    from: number,
    to: number,
  ): readonly [queued: number, code: number] | undefined {
    const producer = this.#producer;
    const orders = this.#orders;
    if (producer === undefined || orders === undefined || this.#isReleased) return [0, nativeCodes.state];
    const number = this.#numberOf(producer, topic);
    if (tags !== undefined)
      for (let index = from; index < to; index += 1) this.#topicOf[tags[index] ?? 0] = number;
    const flags = (tags === undefined ? 0 : flag.tagged) | (areTold ? flag.told : 0);
    orders.write(records, { numbers: tags ?? number, flags }, from, to);
    return producer.produce(number, orders.table, to - from, orders.bytes);
  }

  #numberOf(producer: AddonProducer, topic: string): number {
    const known = this.#topics.get(topic);
    if (known !== undefined) return known;
    const number = producer.topic(topic);
    this.#topics.set(topic, number);
    this.#names[number] = topic;
    return number;
  }
}
