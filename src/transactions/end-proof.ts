import { partitionId, type TopicPartition } from "../offsets.js";
import { deferred } from "../waiting.js";

/** The offsets that the first records of a transaction get, in the partitions that are asked for. */
export class EndProof {
  readonly #asked: readonly TopicPartition[];
  readonly #missing: Map<string, TopicPartition>;
  readonly #offsets = new Map<string, number>();
  readonly #done = deferred();

  constructor(asked: readonly TopicPartition[]) {
    this.#asked = asked;
    this.#missing = new Map(asked.map((each) => [partitionId(each.topic, each.partition), each]));
  }

  /** The partitions of which no offset is known yet, each once. */
  get missing(): readonly TopicPartition[] {
    return [...this.#missing.values()];
  }

  /** Resolves when all are known, or one will not be. */
  get settled(): Promise<void> {
    return this.#done.promise;
  }

  /** A record was written there. Without an offset it says nothing. */
  written(topic: string, partition: number, offset: number): void {
    if (offset < 0) return;
    const id = partitionId(topic, partition);
    this.#offsets.set(id, offset);
    this.#missing.delete(id);
    if (this.#missing.size === 0) this.#done.resolve();
  }

  fail(): void {
    this.#done.resolve();
  }

  /** In the order of the partitions; `undefined` where one is missing. */
  ends(): readonly number[] | undefined {
    if (this.#missing.size > 0) return undefined;
    return this.#asked.flatMap(
      ({ topic, partition }) => this.#offsets.get(partitionId(topic, partition)) ?? [],
    );
  }
}
