/**
 * The time of a task, in milliseconds since the epoch: the largest timestamp that its records have had. It never goes
 * back, but for a rollback.
 */
export class StreamTime {
  #committed: number;
  #now: number;

  /** `-1`: no record yet. */
  constructor(committed = -1) {
    this.#committed = committed;
    this.#now = committed;
  }

  get now(): number {
    return this.#now;
  }

  /** Where a restart begins. */
  get committed(): number {
    return this.#committed;
  }

  /** A record moves it on, though never further than `limit`. Whether it has moved. */
  observe(timestamp: number, limit = Infinity): boolean {
    const next = Math.min(timestamp, limit);
    if (next <= this.#now) return false;
    this.#now = next;
    return true;
  }

  /** The group's committed offsets say this time. */
  learn(committed: number): void {
    this.commit(committed);
    this.#now = this.#committed;
  }

  commit(to: number): void {
    this.#committed = Math.max(this.#committed, to);
  }

  rollBack(): void {
    this.#now = this.#committed;
  }

  /** What came after this time did not count. */
  rewind(to: number): void {
    this.#now = Math.min(this.#now, Math.max(to, this.#committed));
  }
}
