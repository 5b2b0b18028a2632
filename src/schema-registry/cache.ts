/** What was asked for once. Those who ask at the same time share one question; one that failed is asked anew. */
export class Cache<Key, Value> {
  readonly #answers = new Map<Key, Promise<Value>>();

  get(key: Key, ask: () => Promise<Value>): Promise<Value> {
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    const answer = ask();
    this.#answers.set(key, answer);
    answer.catch(() => {
      this.#answers.delete(key);
    });
    return answer;
  }
}
