/** How a client that a {@link Kafka} made is doing. */
export interface ClientHealth {
  /** What made it: `kafka.consumer`, `processor`, `producer`, `transactionalProducer` or `table`. */
  readonly kind: "consumer" | "processor" | "producer" | "transactionalProducer" | "table";
  /** Its group, its transactional id, or the topic of a table; `undefined` for a producer, which has neither. */
  readonly name: string | undefined;
  /**
   * `idle`: nothing was asked of it yet. `failed`: `error` has ended it for good, and it counts until another one of
   * its kind and name is made. What is closed is no longer listed.
   */
  readonly state: "idle" | "running" | "failed";
  /** What has ended it. */
  readonly error: unknown;
  /** How many partitions it has now; `undefined` for what has none. */
  readonly partitions: number | undefined;
}

/** Whether the brokers answer, as {@link Kafka.health} found. */
export interface BrokersHealth {
  /** Whether one of them answered in time. */
  readonly ok: boolean;
  /** How many brokers the one that answered knows of. */
  readonly count: number;
  /** How long the answer took, in milliseconds; the first time with the connection. */
  readonly latencyMs: number;
  /** Why there was none. */
  readonly error: Error | undefined;
}

/** What {@link Kafka.health} found. Plain data but for the errors, so that it can be logged, or served as JSON. */
export interface Health {
  /** Whether the brokers answer and no client has failed. */
  readonly ok: boolean;
  /** Whether the brokers answer. */
  readonly brokers: BrokersHealth;
  /** The clients that were made and not closed, and those that failed. */
  readonly clients: readonly ClientHealth[];
}

/** What a client says of itself. @internal */
export function healthOf(
  kind: ClientHealth["kind"],
  name: string | undefined,
  {
    hasBegun,
    failure,
    partitions,
  }: {
    readonly hasBegun: boolean;
    /** What has ended it, if anything has. */
    readonly failure: { readonly error: unknown } | undefined;
    readonly partitions?: number;
  },
): ClientHealth {
  const state = failure !== undefined ? "failed" : hasBegun ? "running" : "idle";
  return { kind, name, state, error: failure?.error, partitions };
}

/** Keeps the clients that failed beside those that live, until another one takes their place. @internal */
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
