import type { GroupSession } from "../group/group-session.js";
import type { OwnedPartition } from "../group/owned-partition.js";
import { AuthenticationError, AuthorizationError, KafkaError } from "../errors.js";
import type { Logger } from "../logger.js";
import { backoff, sleep } from "../waiting.js";

/** Losing more consumers than this within the time below means that another instance uses the same id. */
const maxReplacements = 5;
const replacementsWithinMs = 60_000;
const pauseMs = backoff(200, 2_000);

/** What of a session its replacement needs. */
export type Replaceable = Pick<GroupSession, "partitions" | "start" | "stop" | "prepareFor">;

/** What the processor gives to the making of its sessions, and is told of them. */
export interface SessionReplacement<Session> {
  /** Makes a session, which calls `onFailure` when it cannot go on. */
  readonly make: (onFailure: (error: KafkaError) => void) => Session;
  /** The current session cannot go on. */
  readonly onFailure: (error: KafkaError) => void;
  /** The partitions of a session that ends without leaving the group are lost. */
  readonly onLost: (partitions: readonly OwnedPartition[]) => void;
  /** Whether nobody needs another session any more. */
  readonly isOver: () => boolean;
  /** Resolves when no call is left in the native client that uses the session's consumer. */
  readonly whenUnused: () => Promise<void>;
}

/** The processor's membership in its group: one session, and another one after it where that fails. */
export class ReplaceableSession<Session extends Replaceable> {
  readonly #logger: Logger;
  readonly #groupId: string;
  readonly #replacement: SessionReplacement<Session>;
  #current: Session;
  #failure: KafkaError | undefined;
  #replacedAt: number[] = [];
  #prepared: number | undefined;

  /** Makes the first session. */
  constructor(logger: Logger, groupId: string, replacement: SessionReplacement<Session>) {
    this.#logger = logger;
    this.#groupId = groupId;
    this.#replacement = replacement;
    this.#current = this.#new();
  }

  get current(): Session {
    return this.#current;
  }

  /** Why the current session is to be replaced, if it is. */
  get failure(): KafkaError | undefined {
    return this.#failure;
  }

  /** The current session cannot go on: it is to be replaced. The first reason counts. */
  fail(error: KafkaError): void {
    this.#failure ??= error;
  }

  /** So many records of one partition are wanted at a time, of every session. */
  prepareFor(maxRecords: number): void {
    this.#prepared = maxRecords;
    this.#current.prepareFor(maxRecords);
  }

  /**
   * Ends the session and starts another one, again until one has started.
   * @throws `reason` where too many were replaced, or what a new one failed with for good
   */
  async replace(reason: KafkaError, signal: AbortSignal): Promise<void> {
    const { isOver, onLost, whenUnused } = this.#replacement;
    const now = performance.now();
    this.#replacedAt = [...this.#replacedAt.filter((at) => now - at < replacementsWithinMs), now];
    if (this.#replacedAt.length > maxReplacements) throw reason;
    this.#logger.warn(`the consumer is replaced: ${reason.message}`, { groupId: this.#groupId });
    const { partitions } = this.#current;
    for (const partition of partitions) partition.lose("the partition was lost with its consumer");
    onLost(partitions);
    await whenUnused();
    await this.#current.stop();
    for (let attempt = 0; !isOver(); attempt += 1) {
      this.#current = this.#new();
      try {
        await this.#current.start(signal);
        return;
      } catch (error) {
        await this.#current.stop();
        if (!(error instanceof KafkaError) || !error.retriable) throw error;
        this.#logger.info(`the new consumer has not started: ${error.message}`);
        await sleep(pauseMs(attempt), signal);
      }
    }
  }

  #new(): Session {
    this.#failure = undefined;
    const session: Session = this.#replacement.make((error) => {
      if (session === this.#current) this.#replacement.onFailure(error);
    });
    if (this.#prepared !== undefined) session.prepareFor(this.#prepared);
    return session;
  }
}

/** Whether another session would fail for the same reason. */
export function failsAgain(error: KafkaError): boolean {
  return (
    error instanceof AuthorizationError ||
    error instanceof AuthenticationError ||
    error.code === "UNKNOWN_TOPIC" ||
    error.code === "OFFSET_OUT_OF_RANGE" ||
    error.code === "CONFIG"
  );
}
