import type { EncodedRecord, NativeHeader } from "../../record.js";
import { nativeCodes } from "../native-errors.js";
import type { NativeProperties } from "../native.js";
import { type OnReport, type ProducePath, queued } from "../produce-path.js";
import { type Addon, type AddonProducer, pluginProperties } from "./addon.js";

/** What one record to produce is: `Order` in `native/producer.h`. */
const orderInts = 8;
const two32 = 2 ** 32;
/** What one report is: `Report` in `native/reports.h`. */
const report = { bytes: 32, partition: 6, code: 7 };
/** So many records, and bytes of them, go in one call. */
const maxRecords = 1_000;
const maxBytes = 4 * 2 ** 20;

/** Many records in a call, as one piece of memory, and their reports in bursts. */
export class FastProducer implements ProducePath {
  readonly properties: NativeProperties;
  /** Never: it would take the numbers of records for addresses. */
  readonly onDelivery = undefined;
  readonly #addon: Addon;
  readonly #token: string;
  readonly #failuresOnly: boolean;
  readonly #onReport: OnReport;
  #producer: AddonProducer | undefined;
  #isReleased = false;
  /** The topics by the numbers that the addon gives them, and the other way round. */
  readonly #names: string[] = [];
  readonly #topics = new Map<string, number>();
  /** The number of its topic, by each record's tag. */
  readonly #topicOf: number[] = [];
  readonly #orders = new Int32Array(maxRecords * orderInts);
  #bytes = Buffer.allocUnsafeSlow(2 ** 16);

  constructor(
    { addon, file }: { readonly addon: Addon; readonly file: string },
    properties: NativeProperties,
    options: { readonly failuresOnly: boolean; readonly onReport: OnReport },
  ) {
    const plugin = pluginProperties(file, properties);
    this.#addon = addon;
    this.#token = plugin.token;
    // The binding is to make nothing of reports.
    this.properties = { ...plugin.properties, "delivery.report.only.error": true };
    this.#failuresOnly = options.failuresOnly;
    this.#onReport = options.onReport;
  }

  open(): void {
    this.#producer = new this.#addon.Producer(this.#token, this.#failuresOnly, () => {
      this.takeReports();
    });
  }

  produce(
    topic: string,
    records: readonly EncodedRecord[],
    tags: readonly number[] | undefined,
  ): ArrayLike<number> | undefined {
    for (let from = 0; from < records.length;) {
      const to = endOfCall(records, from);
      const codes = this.#call(topic, records, tags, from, to);
      if (codes !== undefined) return [...new Array<number>(from).fill(queued), ...codes];
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
      const topic = this.#names[this.#failuresOnly ? id : (this.#topicOf[id] ?? 0)] ?? "";
      this.#onReport(
        integers[index * 8 + report.code] ?? nativeCodes.state,
        this.#failuresOnly ? undefined : id,
        topic,
        integers[index * 8 + report.partition] ?? -1,
        numbers[index * 4 + 1] ?? -1,
        numbers[index * 4 + 2] ?? -1,
      );
    }
    return true;
  }

  release(): void {
    this.#isReleased = true;
    this.#producer?.release();
  }

  close(): void {
    this.#producer?.close();
    this.#producer = undefined;
  }

  /** Produces the records `[from, to)`: see {@link ProducePath.produce}. */
  #call(
    topic: string,
    records: readonly EncodedRecord[],
    tags: readonly number[] | undefined,
    from: number,
    to: number,
  ): Iterable<number> | undefined {
    const producer = this.#producer;
    if (producer === undefined || this.#isReleased) return [nativeCodes.state];
    const number = this.#numberOf(producer, topic);
    let at = 0;
    let order = 0;
    for (let index = from; index < to; index += 1) {
      const record = records[index];
      if (record === undefined) continue;
      const { key, value, headers, timestamp = 0 } = record;
      const id = tags === undefined ? number : (tags[index] ?? 0);
      if (tags !== undefined) this.#topicOf[id] = number;
      this.#makeSpace(at, record);
      const bytes = this.#bytes;
      if (key !== null) bytes.set(key, at);
      at += key?.length ?? 0;
      if (value !== null) bytes.set(value, at);
      at += value?.length ?? 0;
      const end = headers === undefined ? at : writeHeaders(bytes, at, headers);
      const orders = this.#orders;
      orders[order] = id;
      orders[order + 1] = key?.length ?? -1;
      orders[order + 2] = value?.length ?? -1;
      orders[order + 3] = record.partition ?? -1;
      orders[order + 4] = headers === undefined ? -1 : end - at;
      orders[order + 5] = timestamp % two32;
      orders[order + 6] = Math.floor(timestamp / two32);
      orders[order + 7] = 0;
      at = end;
      order += orderInts;
    }
    const codes = producer.produce(number, this.#orders, to - from, this.#bytes);
    // One large record does not hold its memory for good.
    if (this.#bytes.length > 2 * maxBytes) this.#bytes = Buffer.allocUnsafeSlow(2 ** 16);
    if (codes === undefined) return undefined;
    const full = codes.indexOf(nativeCodes.queueFull);
    return full === -1 ? codes : codes.subarray(0, full + 1);
  }

  #numberOf(producer: AddonProducer, topic: string): number {
    const known = this.#topics.get(topic);
    if (known !== undefined) return known;
    const number = producer.topic(topic);
    this.#topics.set(topic, number);
    this.#names[number] = topic;
    return number;
  }

  /** For the record behind the `used` bytes. */
  #makeSpace(used: number, { size, headers }: EncodedRecord): void {
    const needed = used + size + 8 * (headers?.length ?? 0);
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length));
    larger.set(this.#bytes.subarray(0, used));
    this.#bytes = larger;
  }
}

/** Where the records end that go in one call with the one at `from`. */
function endOfCall(records: readonly EncodedRecord[], from: number): number {
  const last = Math.min(records.length, from + maxRecords);
  let bytes = records[from]?.size ?? 0;
  let to = from + 1;
  for (; to < last; to += 1) {
    bytes += records[to]?.size ?? 0;
    if (bytes > maxBytes) break;
  }
  return to;
}

/** Returns where they end. A header is as in `native/block.h`. */
function writeHeaders(bytes: Buffer, from: number, headers: readonly NativeHeader[]): number {
  let at = from;
  for (const header of headers) {
    const [name = "", value = null] = Object.entries(header)[0] ?? [];
    const nameLength = bytes.write(name, at + 8);
    bytes.writeInt32LE(nameLength, at);
    const valueAt = at + 8 + nameLength;
    let valueLength = -1;
    if (typeof value === "string") valueLength = bytes.write(value, valueAt);
    else if (value !== null) valueLength = value.copy(bytes, valueAt);
    bytes.writeInt32LE(valueLength, at + 4);
    at = valueAt + Math.max(0, valueLength);
  }
  return at;
}
