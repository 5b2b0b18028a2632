/** Counts seconds: reading it costs nothing, so that every call of a handler can be dated. */
export class SecondClock {
  now = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(onSecond: () => void) {
    this.#timer = setInterval(() => {
      this.now += 1;
      onSecond();
    }, 1_000);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
