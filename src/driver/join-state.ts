/** How long the first line about it may take after the client has subscribed. */
const lineMs = 100;

/**
 * Whether the native client is about to become a member of its group, or takes part in a rebalance. One that is ended
 * then does not leave: the group waits for it, with all that is its, until its session is over.
 */
export class JoinState {
  #subscribedAt = -Infinity;
  #isJoining = false;

  get isJoining(): boolean {
    return this.#isJoining || performance.now() - this.#subscribedAt < lineMs;
  }

  subscribed(): void {
    this.#isJoining = false;
    this.#subscribedAt = performance.now();
  }

  told(isJoining: boolean): void {
    this.#subscribedAt = -Infinity;
    this.#isJoining = isJoining;
  }
}
