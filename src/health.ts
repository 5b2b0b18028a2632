/** Why a member of a group has no partitions although it runs. */
export interface GroupWait {
  /**
   * Why, by the group's error where it refuses the member:
   * `INCONSISTENT_GROUP_PROTOCOL` and `GROUP_ID_NOT_FOUND`: its members use another assignor or protocol;
   * `GROUP_MAX_SIZE_REACHED`: it is full; `UNRELEASED_INSTANCE_ID`: another member has the same `groupInstanceId`.
   * And where it does not: `NO_PARTITIONS`: it has more members than partitions; `NOT_JOINED`: it has not answered.
   */
  readonly code:
    | "INCONSISTENT_GROUP_PROTOCOL"
    | "GROUP_ID_NOT_FOUND"
    | "GROUP_MAX_SIZE_REACHED"
    | "UNRELEASED_INSTANCE_ID"
    | "NO_PARTITIONS"
    | "NOT_JOINED";
  /** The same for people, with what ends it. */
  readonly reason: string;
  /** Since when, in milliseconds since the epoch. */
  readonly since: number;
}

/** The state of a client that a {@link Kafka} made. */
export interface ClientHealth {
  /** The method of `Kafka` that made it. */
  readonly kind: "consumer" | "processor" | "producer" | "transactionalProducer" | "table";
  /** Its group, its transactional id, or the topic of a table; `undefined` for a producer, which has neither. */
  readonly name: string | undefined;
  /**
   * `idle`: it was not used yet. `waiting`: it runs, but its group refuses it, or it has had no partition for 30 s;
   * `waiting` says why. `failed`: `error` has ended it for good; it is listed until another client of its kind and
   * name is made. Closed clients are not listed.
   */
  readonly state: "idle" | "running" | "waiting" | "failed";
  /** The error that has ended it; `undefined` unless it failed. */
  readonly error: unknown;
  /** Of a consumer or processor that waits for partitions: why. It goes on by itself when the reason is gone. */
  readonly waiting?: GroupWait;
  /** How many partitions are assigned to it now, or a table reads; `undefined` for producers. */
  readonly partitions: number | undefined;
  /** Of a processor with stores: how many of its tasks are reading their stores back, and deliver nothing meanwhile. */
  readonly restoring?: number;
}

/** Whether the brokers answer, as {@link Kafka.health} found. */
export interface BrokersHealth {
  /** Whether one of them answered in time. */
  readonly ok: boolean;
  /** How many brokers the cluster has, as the broker that answered says. */
  readonly count: number;
  /** How long the answer took, in milliseconds; the first one includes connecting. */
  readonly latencyMs: number;
  /** Why none answered; `undefined` where one did. */
  readonly error: Error | undefined;
}

/** How records come from the native client to JavaScript, and back: see "The fast path" in the documentation. */
export interface FastPathHealth {
  /** Whether the fast path is used; if not, the plain one is, which does the same, slower. */
  readonly used: boolean;
  /** Why it is not; `undefined` where it is. */
  readonly reason: string | undefined;
}

/** What {@link Kafka.health} found. Plain data but for the errors, so that it can be logged, or served as JSON. */
export interface Health {
  /** Whether the brokers answer and no client has failed. */
  readonly ok: boolean;
  /** Whether the brokers answer. */
  readonly brokers: BrokersHealth;
  /** The clients that are not closed, and those that failed. */
  readonly clients: readonly ClientHealth[];
  /** Whether the process uses the fast path. It works without, so it is no part of `ok`. */
  readonly fastPath: FastPathHealth;
}

/** The health of a client. @internal */
export function healthOf(
  kind: ClientHealth["kind"],
  name: string | undefined,
  {
    hasBegun,
    failure,
    partitions,
    waiting,
  }: {
    readonly hasBegun: boolean;
    /** What has ended the client; `undefined` while nothing has. */
    readonly failure: { readonly error: unknown } | undefined;
    readonly partitions?: number;
    readonly waiting?: GroupWait | undefined;
  },
): ClientHealth {
  if (failure !== undefined) return { kind, name, state: "failed", error: failure.error, partitions };
  if (waiting !== undefined) return { kind, name, state: "waiting", error: undefined, partitions, waiting };
  return { kind, name, state: hasBegun ? "running" : "idle", error: undefined, partitions };
}

/** Lists the clients that are not closed, and those that failed until another one replaces them. @internal */
export class ClientsHealth {
  readonly #living = new Set<{ readonly health: ClientHealth }>();
  readonly #failed = new Map<string, ClientHealth>();

  add(client: { readonly health: ClientHealth }): void {
    this.#living.add(client);
    this.#failed.delete(identityOf(client.health));
  }

  /** It is closed. */
  remove(client: { readonly health: ClientHealth }): void {
    this.#living.delete(client);
    const { health } = client;
    if (health.state === "failed") this.#failed.set(identityOf(health), health);
  }

  list(): readonly ClientHealth[] {
    return [...[...this.#living].map(({ health }) => health), ...this.#failed.values()];
  }
}

function identityOf({ kind, name }: ClientHealth): string {
  return `${kind} ${name ?? ""}`;
}
