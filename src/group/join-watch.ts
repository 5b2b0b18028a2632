import { ConfigError, type KafkaError } from "../errors.js";
import { nativeCodes } from "../driver/native-errors.js";
import type { Logger } from "../logger.js";
import type { ResolvedConsumerOptions } from "./options.js";

/** How long a member may be without partitions, and how often a refusal that lasts is told, in milliseconds. */
const patienceMs = 30_000;

/** What a watch needs of its session. */
export interface JoinHost {
  readonly options: Pick<ResolvedConsumerOptions, "groupId" | "properties">;
  readonly logger: Logger;
  /** The group refuses for good. */
  readonly onFailure: (error: KafkaError) => void;
}

/**
 * Tells what keeps a member out of its group. The native client asks again for ever, whatever the reason: what no
 * waiting cures ends the member, what another member's leaving cures is a warning at once and every 30 s.
 */
export class JoinWatch {
  readonly #host: JoinHost;
  #toldAt = -Infinity;
  #isRefused = false;
  #hasJoined = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(host: JoinHost) {
    this.#host = host;
  }

  /** The member has subscribed. */
  subscribed(): void {
    this.#timer = setTimeout(this.#tellWaiting, patienceMs);
    this.#timer.unref();
  }

  /** The group gave or revoked this many partitions; none where it has more members than partitions. */
  rebalanced(kind: "assign" | "revoke", partitions: number): void {
    if (kind === "revoke") return;
    this.#hasJoined = true;
    this.#isRefused = false;
    this.#toldAt = -Infinity;
    if (partitions > 0) this.stop();
  }

  /** A fetch told this error; `true` where it is a refusal of the group, which is settled here. */
  refused(error: KafkaError): boolean {
    const failure = lastingRefusal(error, this.#host.options);
    if (failure !== undefined) {
      this.#host.onFailure(failure);
      return true;
    }
    const reason = passingRefusal(error.nativeCode);
    if (reason === undefined) return false;
    this.#isRefused = true;
    const now = performance.now();
    if (now - this.#toldAt >= patienceMs) {
      this.#toldAt = now;
      const { groupId } = this.#host.options;
      this.#host.logger.warn(`group ${groupId} refuses this member: ${reason}`, { groupId, error });
    }
    return true;
  }

  /** The brokers do not know the group protocol `consumer`. */
  protocolUnknown(): void {
    this.#host.onFailure(
      new ConfigError(
        "groupProtocol",
        '"consumer" is not known to these brokers: it needs Kafka 4.0. Leave it out, or set "classic"',
        { groupId: this.#host.options.groupId },
      ),
    );
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  readonly #tellWaiting = (): void => {
    if (this.#isRefused) return;
    const { groupId } = this.#host.options;
    const reason = this.#hasJoined
      ? "the group has more members than partitions, and this one waits until another leaves"
      : "the group is still rebalancing, or its coordinator does not answer";
    this.#host.logger.warn(`group ${groupId} has given this member no partition for 30 s: ${reason}`, {
      groupId,
    });
  };
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

/** Why the group refuses a member until another one leaves. */
function passingRefusal(code: number | undefined): string | undefined {
  if (code === nativeCodes.inconsistentGroupProtocol)
    return "its members use another assignor or protocol. Set `assignor` to theirs, or stop them: it joins when they have left";
  if (code === nativeCodes.groupMaxSizeReached)
    return "it has as many members as the brokers' group.max.size allows. It joins when one has left";
  return undefined;
}
