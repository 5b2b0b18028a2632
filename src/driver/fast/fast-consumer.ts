import type { RawRecord } from "../../record.js";
import type { ConsumePath, Fetched } from "../consume-path.js";
import { nativeCodes } from "../native-errors.js";
import type {
  NativeCallback,
  NativeEndOfPartition,
  NativeError,
  NativeOffset,
  NativeProperties,
} from "../native.js";
import { type Addon, type AddonConsumer, type OnFetched, pluginProperties } from "./addon.js";
import { appendRecords, type BlockPartition } from "./block.js";
import { JsonForms } from "./json-forms.js";

interface Request {
  readonly count: number;
  readonly callback: NativeCallback<Fetched>;
}

/** Records as blocks that a thread of the addon packs, and the outcomes of commits on a queue of their own. */
export class FastConsumer implements ConsumePath {
  readonly properties: NativeProperties;
  readonly usesCommitCallback = false;
  readonly tellsEverything = true;
  readonly token: string;
  readonly #addon: Addon;
  readonly #onCommitted: (code: number) => void;
  readonly #onWake: () => void;
  #consumer: AddonConsumer | undefined;
  /** By the numbers that the addon gives them. */
  readonly #partitions: BlockPartition[] = [];
  /** The first was asked for; the others wait, because the addon answers one at a time. */
  #requests: Request[] = [];
  /** Errors that came with records, or with others. The next fetches tell them, one each. */
  readonly #errors: NativeError[] = [];

  /** `onWake`: there is something for another fetch. */
  constructor(
    { addon, file }: { readonly addon: Addon; readonly file: string },
    properties: NativeProperties,
    events: { readonly onCommitted: (code: number) => void; readonly onWake: () => void },
  ) {
    const plugin = pluginProperties(file, properties);
    this.#addon = addon;
    this.token = plugin.token;
    this.properties = plugin.properties;
    this.#onCommitted = events.onCommitted;
    this.#onWake = events.onWake;
  }

  open(): void {
    this.#consumer = new this.#addon.Consumer(this.token, this.#onFetched, this.#onCommitted);
  }

  fetch(count: number, callback: NativeCallback<Fetched>): void {
    this.#requests.push({ count, callback });
    if (this.#requests.length === 1) this.#ask();
  }

  commit(offsets: readonly NativeOffset[]): number {
    const flat = offsets.flatMap(({ topic, partition, offset }) => [topic, partition, offset]);
    return this.#consumer?.commit(flat) ?? nativeCodes.state;
  }

  close(): void {
    this.#consumer?.close();
    this.#consumer = undefined;
    const requests = this.#requests;
    this.#requests = [];
    for (const { callback } of requests) callback(closedError, noneFetched());
  }

  #ask(): void {
    const [request] = this.#requests;
    if (request === undefined) return;
    const error = this.#errors.shift();
    if (error !== undefined) this.#answer(error, noneFetched());
    else if (this.#consumer?.fetch(request.count) !== true) this.#answer(closedError, noneFetched());
  }

  readonly #onFetched: OnFetched = (blocks = [], newPartitions = [], errors = []) => {
    for (let at = 0; at < newPartitions.length; at += 3) {
      const index = newPartitions[at] as number;
      this.#partitions[index] = {
        topic: newPartitions[at + 1] as string,
        partition: newPartitions[at + 2] as number,
        forms: new JsonForms((number, pieces) => this.#consumer?.addForm?.(index, number, pieces)),
      };
    }
    const records: RawRecord[] = [];
    for (let at = 0; at < blocks.length; at += 2)
      appendRecords(records, blocks[at] as ArrayBuffer, blocks[at + 1] as number, this.#partitions);
    const ends: NativeEndOfPartition[] = [];
    for (let at = 0; at < errors.length; at += 4) {
      const [code, index, offset, message] = errors.slice(at, at + 4) as [number, number, number, string];
      const partition = this.#partitions[index];
      if (code !== nativeCodes.partitionEnd) this.#errors.push({ code, message });
      else if (partition !== undefined) ends.push({ ...partition, offset });
    }
    const isAlone = records.length === 0 && ends.length === 0;
    const error = isAlone ? this.#errors.shift() : undefined;
    this.#answer(error ?? null, { records, ends });
    if (this.#errors.length > 0) this.#onWake();
  };

  #answer(error: NativeError | null, fetched: Fetched): void {
    const request = this.#requests.shift();
    request?.callback(error, fetched);
    this.#ask();
  }
}

const closedError: NativeError = { code: nativeCodes.state, message: "the consumer is closed" };

function noneFetched(): Fetched {
  return { records: [], ends: [] };
}
