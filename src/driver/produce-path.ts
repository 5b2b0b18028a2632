import { bytesOf, type EncodedRecord, type NativeHeader } from "../record.js";
import type { LentConsumer } from "./consume-path.js";
import { nativeCodes } from "./native-errors.js";
import type {
  NativeCallback,
  NativeDeliveryReport,
  NativeOffset,
  NativeProducerClient,
  NativeProperties,
} from "./native.js";

/** Accepted by the native client: the record will be reported, unless the producer reports failures alone. */
export const queued = 0;

/** Told of each record that failed, and of each that was written where that is to be told. `tag` is the record's, if it has one. */
export type OnReport = (
  code: number,
  tag: number | undefined,
  topic: string,
  partition: number,
  offset: number,
  timestamp: number,
) => void;

/** That not all records of a call were queued. */
export interface Refused {
  /** How many were: the first ones. */
  readonly queued: number;
  /** Why the one behind them was refused. It and those behind it were not queued. */
  readonly code: number;
}

/**
 * How records go from JavaScript to the native client, and their reports come back. Everything else is one and the
 * same.
 */
export interface ProducePath {
  /** Configures the native client for it, before all other properties. */
  readonly properties: NativeProperties;
  /** What the binding is to call with reports; `undefined` where they do not come by it. */
  readonly onDelivery: ((code: number | null, report: NativeDeliveryReport) => void) | undefined;
  /** The native client is connected. */
  readonly open: () => void;
  /**
   * Produces records of one topic, in their order, up to the first that is refused. Their bytes may be changed when it
   * has returned.
   *
   * @param tags - one for each record, back in its report; `undefined` for a producer that reports failures alone
   * @param areTold - whether it is reported that they were written. The binding's own path goes by
   *   `delivery.report.only.error`, and tells it of all records or of none
   * @throws what the native client throws for arguments of a wrong type
   */
  readonly produce: (
    topic: string,
    records: readonly EncodedRecord[],
    tags: readonly number[] | undefined,
    areTold: boolean,
  ) => Refused | undefined;
  /**
   * Passes on the reports that the native client has by now, and returns whether those are all of them: the binding
   * gives at most 100 in a turn of the event loop.
   */
  readonly takeReports: () => boolean;
  /**
   * Asks the leaders of all partitions of a topic whether they are, at once; `undefined` where only one can be asked at a
   * time. The answer is 0 or an error's code.
   */
  readonly askLeaders:
    | ((topic: string, partitions: number, timeoutMs: number, onAnswer: (code: number) => void) => void)
    | undefined;
  /** Adds a group's next offsets to the transaction, under the membership of `consumer`, by which they came. */
  readonly sendOffsets: (
    offsets: readonly NativeOffset[],
    consumer: LentConsumer,
    timeoutMs: number,
    callback: NativeCallback,
  ) => void;
  /** The native client is about to be disconnected. */
  readonly release: () => void;
  /** The native client has been disconnected. */
  readonly close: () => void;
}

/** The binding's own: a call and an event a record. */
export function plainProducePath(native: () => NativeProducerClient, onReport: OnReport): ProducePath {
  return {
    properties: {},
    onDelivery: (code, { opaque, topic, partition, offset, timestamp }) => {
      const tag = typeof opaque === "number" ? opaque : undefined;
      // The binding does not tell whether it had been sent before.
      const told = code === nativeCodes.purgedInQueue ? nativeCodes.purgedInFlight : (code ?? queued);
      onReport(told, tag, topic, partition, offset, timestamp ?? -1);
    },
    open: () => undefined,
    produce: (topic, records, tags) => {
      for (const [index, record] of records.entries()) {
        const code = native().produce(
          topic,
          record.partition ?? null,
          bytesOf(record.value),
          bytesOf(record.key),
          record.timestamp ?? null,
          // One that was given to a client that reports errors alone would never be freed.
          tags?.[index],
          plainHeaders(record.headers),
        );
        if (code !== queued) return { queued: index, code };
      }
      return undefined;
    },
    takeReports: () => false,
    askLeaders: undefined,
    sendOffsets: (offsets, consumer, timeoutMs, callback) => {
      native().sendOffsetsToTransaction(offsets, consumer.native, timeoutMs, callback);
    },
    release: () => undefined,
    close: () => undefined,
  };
}

/** A buffer without memory: the binding passes it on as no value, which is null on the wire (run, read with Java). */
const nullValue = Buffer.alloc(0);

type PlainHeader = Readonly<Record<string, string | Buffer>>;

/** The binding throws for a null, and sends the record all the same. */
function plainHeaders(headers: readonly NativeHeader[] | undefined): readonly PlainHeader[] | undefined {
  if (headers?.some((header) => Object.values(header).includes(null)) !== true)
    return headers as readonly PlainHeader[] | undefined;
  return headers.map((header) => {
    const [name = "", value = null] = Object.entries(header)[0] ?? [];
    return { [name]: value ?? nullValue };
  });
}
