import { ConfigError, type KafkaError } from "../errors.js";
import { nativeCodes } from "../driver/native-errors.js";
import type { GroupWait } from "../health.js";
import type { Logger } from "../logger.js";
import type { ResolvedConsumerOptions } from "./options.js";
import { isPattern } from "./topic-presence.js";

/** How long a member may be without partitions, and how often a wait is told, in milliseconds. */
const patienceMs = 30_000;

/** What a watch needs of its session. */
export interface JoinHost {
  readonly options: Pick<ResolvedConsumerOptions, "groupId" | "properties">;
  /** What is subscribed to: names, and regular expressions of patterns. */
  readonly topics: readonly string[];
  readonly logger: Logger;
  /** Which connection failed last, to be put behind a sentence; empty where none did lately. */
  readonly trouble: () => string;
  /** The member waits, and it is time to tell it. */
  readonly onWait: (wait: GroupWait) => void;
  /** The group refuses for good. */
  readonly onFailure: (error: KafkaError) => void;
}

/**
 * Tells what keeps a member out of its group. The native client asks again for ever, whatever the reason: what no
 * waiting cures ends the member; what another member's leaving cures is told at once and every 30 s.
 */
export class JoinWatch {
  readonly #host: JoinHost;
  readonly #isBrokersChoice: boolean;
  #partitions = 0;
  /** Since when it has had none, in milliseconds since the epoch; `undefined` before it subscribes. */
  #emptySince: number | undefined;
  /** Whether it has had none for so long that this is worth telling: a timer and the clock differ by a millisecond. */
  #isLong = false;
  /** Whether the group counts it as a member now. */
  #hasJoined = false;
  #refusal: GroupWait | undefined;
  #toldAt = -Infinity;
  #isOver = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(host: JoinHost) {
    this.#host = host;
    this.#isBrokersChoice = host.options.properties["group.protocol"] === "consumer";
  }

  /** Why the member has no partitions, where the group refuses it or has given it none for 30 s. */
  get waiting(): GroupWait | undefined {
    if (this.#refusal !== undefined) return this.#refusal;
    const since = this.#emptySince;
    if (since === undefined || !this.#isLong) return undefined;
    if (this.#hasJoined) return { code: "NO_PARTITIONS", reason: this.#whyNone(), since };
    const reason = `the group is still rebalancing, or its coordinator does not answer${this.#host.trouble()}`;
    return { code: "NOT_JOINED", reason, since };
  }

  /** The member has subscribed. */
  subscribed(): void {
    this.#begin();
  }

  /** The group gave or revoked this many partitions; none where it has more members than partitions. */
  rebalanced(kind: "assign" | "revoke", partitions: number): void {
    const before = this.#partitions;
    this.#partitions = Math.max(0, before + (kind === "assign" ? partitions : -partitions));
    // With the protocol `classic` a member that releases partitions joins anew.
    if (kind === "assign") this.joined();
    else if (!this.#isBrokersChoice) this.#hasJoined = false;
    if (this.#partitions > 0) this.#clear();
    else if (before > 0) this.#begin();
  }

  /** The group counts it as a member. */
  joined(): void {
    this.#hasJoined = true;
    this.#refusal = undefined;
  }

  /** The group has ended its membership, with all its partitions. */
  lost(): void {
    this.#hasJoined = false;
    if (this.#partitions > 0) this.#begin();
    this.#partitions = 0;
  }

  /** The native client told this error: whether it is a refusal of the group that ends the member, or that passes. */
  refused(error: KafkaError): "fails" | "waits" | undefined {
    const failure = lastingRefusal(error, this.#host.options);
    if (failure !== undefined) {
      this.#fail(failure);
      return "fails";
    }
    const refusal = passingRefusals.get(error.nativeCode);
    if (refusal === undefined) return undefined;
    this.#hasJoined = false;
    if (this.#refusal?.code !== refusal.code) {
      this.#refusal = { ...refusal, since: Date.now() };
      this.#toldAt = -Infinity;
    }
    const now = performance.now();
    if (now - this.#toldAt >= patienceMs) {
      this.#toldAt = now;
      this.#tell(this.#refusal, `refuses this member: ${refusal.reason}`, error);
    }
    return "waits";
  }

  /** The brokers do not know the group protocol `consumer`. */
  protocolUnknown(): void {
    this.#fail(
      new ConfigError(
        "groupProtocol",
        '"consumer" is not known to these brokers: it needs Kafka 4.0. Leave it out, or set "classic"',
        { groupId: this.#host.options.groupId },
      ),
    );
  }

  /** Once: until it has left, the native client goes on asking. */
  #fail(error: ConfigError): void {
    if (!this.#isOver) this.#host.onFailure(error);
    this.stop();
  }

  /** The member leaves. */
  stop(): void {
    this.#isOver = true;
    this.#clear();
  }

  #clear(): void {
    clearTimeout(this.#timer);
    this.#emptySince = undefined;
    this.#isLong = false;
  }

  /** From now on it has no partitions. */
  #begin(): void {
    this.#clear();
    if (this.#isOver) return;
    this.#emptySince = Date.now();
    this.#timer = setTimeout(this.#look, patienceMs);
    this.#timer.unref();
  }

  readonly #look = (): void => {
    this.#isLong = true;
    const { waiting } = this;
    // A member that nothing is left for may stay so for ever, by intention.
    if (waiting?.code !== "NO_PARTITIONS") {
      this.#timer = setTimeout(this.#look, patienceMs);
      this.#timer.unref();
    }
    if (waiting === undefined || this.#refusal !== undefined) return;
    const seconds = Math.round(Math.max(patienceMs, Date.now() - waiting.since) / 1_000);
    this.#tell(waiting, `has given this member no partition for ${seconds} s: ${waiting.reason}`);
  };

  #tell(wait: GroupWait, what: string, error?: KafkaError): void {
    const { groupId } = this.#host.options;
    const fields = { groupId, reason: wait.code, ...(error === undefined ? {} : { error }) };
    this.#host.logger.warn(`group ${groupId} ${what}`, fields);
    this.#host.onWait(wait);
  }

  #whyNone(): string {
    const more = "it has more members than partitions, and this one waits until another leaves";
    return this.#host.topics.some(isPattern) ? `${more}; or no topic fits the pattern` : more;
  }
}

/** What no waiting cures, as an error that says what to do. */
function lastingRefusal(
  error: KafkaError,
  { groupId, properties }: JoinHost["options"],
): ConfigError | undefined {
  const context = { cause: error, groupId, nativeCode: error.nativeCode };
  if (error.nativeCode === nativeCodes.invalidSessionTimeout)
    return new ConfigError(
      "sessionTimeoutMs",
      `the brokers refuse ${properties["session.timeout.ms"]} ms: choose one within their group.min.session.timeout.ms and group.max.session.timeout.ms (6,000 to 1,800,000 by default)`,
      context,
    );
  if (error.nativeCode === nativeCodes.invalidGroupId)
    return new ConfigError("groupId", `the brokers refuse "${groupId}" as the id of a group`, context);
  return undefined;
}

const otherMembers =
  "its members use another assignor or protocol. Set `assignor` or `groupProtocol` to theirs, or stop them: it joins when they have left";

/** Why a group refuses a member until another one leaves, by the error's code. */
const passingRefusals: ReadonlyMap<number | undefined, Pick<GroupWait, "code" | "reason">> = new Map([
  [
    nativeCodes.inconsistentGroupProtocol,
    { code: "INCONSISTENT_GROUP_PROTOCOL" as const, reason: otherMembers },
  ],
  [nativeCodes.groupIdNotFound, { code: "GROUP_ID_NOT_FOUND" as const, reason: otherMembers }],
  [
    nativeCodes.groupMaxSizeReached,
    {
      code: "GROUP_MAX_SIZE_REACHED" as const,
      reason:
        "it has as many members as the brokers' group.max.size (group.consumer.max.size) allows. It joins when one has left",
    },
  ],
  [
    nativeCodes.unreleasedInstanceId,
    {
      code: "UNRELEASED_INSTANCE_ID" as const,
      reason:
        "another member has the same `groupInstanceId`, or had it and was not closed. It joins when that one has left, or its session is over",
    },
  ],
]);
