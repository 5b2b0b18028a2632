import type { RawRecord } from "../record.js";
import type {
  NativeCallback,
  NativeConsumerClient,
  NativeEndOfPartition,
  NativeOffset,
  NativeProperties,
} from "./native.js";

/** What one `fetch` brought. */
export interface Fetched {
  /** The caller's own. */
  readonly records: RawRecord[];
  /** Partitions whose end was reached; only with `enable.partition.eof`. */
  readonly ends: readonly NativeEndOfPartition[];
}

/**
 * How a consumer's records, and the outcomes of its commits, come from the native client to JavaScript. Everything
 * else is one and the same.
 */
export interface ConsumePath {
  /** Configures the native client for it, before all other properties. */
  readonly properties: NativeProperties;
  /** By which the addon finds the native client, where it is used. */
  readonly token: string | undefined;
  /** Whether the native client is to be told where outcomes of commits go: `offset_commit_cb`. */
  readonly usesCommitCallback: boolean;
  /**
   * Whether an error is told whatever comes with it, and an outcome without a fetch. The binding drops the errors that
   * stand behind a record, and gives outcomes in their turn among the records.
   */
  readonly tellsEverything: boolean;
  /** The native client is connected. */
  readonly open: () => void;
  /** The available records, up to `count`, without waiting for any. */
  readonly fetch: (count: number, callback: NativeCallback<Fetched>) => void;
  /** An error code, or 0 where the outcome will be told. */
  readonly commit: (offsets: readonly NativeOffset[]) => number;
  /** The native client is about to be disconnected. */
  readonly close: () => void;
}

/** A consumer that stays connected while it is used. */
export interface LentConsumer {
  readonly native: NativeConsumerClient;
  /** By which the addon finds it, where it is used. */
  readonly token: string | undefined;
}

/** The binding's own: an object a record. */
export function plainConsumePath(native: () => NativeConsumerClient): ConsumePath {
  return {
    properties: {},
    token: undefined,
    usesCommitCallback: true,
    tellsEverything: false,
    open: () => undefined,
    fetch: (count, callback) => {
      native().consume(0, count, false, (error, records, ends) => {
        callback(error, { records, ends });
      });
    },
    commit: (offsets) => native().commit(offsets),
    close: () => undefined,
  };
}
