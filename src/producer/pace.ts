/** From so many calls in work it pays to gather their records, if it stays so for {@link sustainedMs}. */
const highLoad = 500;
/** Below it, what is there leaves at once again. */
const lowLoad = 250;
const sustainedMs = 50;

/**
 * Decides by the load whether records leave at once or gather for a moment into larger requests. One record,
 * or a few, would only be late for it. With hundreds of calls in work all the time requests of 60 records
 * become such of 200, and a thousand concurrent callers get 1.4 times as many records through (measured on
 * one machine with its broker). Large calls fill requests by themselves, and bursts that are awaited as a
 * whole would wait for nothing. No I/O.
 */
export class Pace {
  #highSince: number | undefined;
  #gathers = false;

  /** `load` is the number of calls in work, `now` any clock in milliseconds. */
  gathers(load: number, now: number): boolean {
    if (load < lowLoad) this.#gathers = false;
    if (load < highLoad) this.#highSince = undefined;
    else this.#highSince ??= now;
    if (this.#highSince !== undefined && now - this.#highSince >= sustainedMs) this.#gathers = true;
    return this.#gathers;
  }

  /** Begins anew: records leave at once until the load has been high for a while. */
  reset(): void {
    this.#highSince = undefined;
    this.#gathers = false;
  }
}
