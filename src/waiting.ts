import { setImmediate as nextTurn } from "node:timers/promises";

/** The longest time that a timer takes, in milliseconds. */
export const maxTimerMs = 2_147_483_647;

/** Waits for `ms` milliseconds, or less where `signal` aborts: then it resolves early. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve();
      return;
    }
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done, { once: true });
  });
}

/**
 * The turns of work that always has more to do at once: between them timers, and whatever else the event loop has, get
 * theirs. What is there already comes without one, however much it is. Work that shares them has one turn together.
 */
export class Turns {
  readonly #ms: number;
  #endsAt = 0;
  #next: Promise<void> | undefined;

  /** `ms`: how long a turn is, in milliseconds. */
  constructor(ms: number) {
    this.#ms = ms;
  }

  get isOver(): boolean {
    return performance.now() >= this.#endsAt;
  }

  /** The others have just had theirs. */
  begin(): void {
    this.#endsAt = performance.now() + this.#ms;
  }

  /** Resolves when the others have had a turn, and begins the next one. */
  next(): Promise<void> {
    return (this.#next ??= nextTurn().then(() => {
      this.#next = undefined;
      this.begin();
    }));
  }
}

/**
 * How long to wait after the failure of a try, by its number from 0: `firstMs`, then twice as long each time, at most
 * `longestMs`.
 */
export function backoff(firstMs: number, longestMs: number): (attempt: number) => number {
  return (attempt) => Math.min(firstMs * 2 ** attempt, longestMs);
}

/** Whether `promise` settled within `ms` milliseconds. Its rejection counts as settled and stays its own. */
export async function settlesWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<false>((resolve) => {
    timer = setTimeout(() => {
      resolve(false);
    }, ms);
  });
  const settled = promise.then(
    () => true,
    () => true,
  );
  try {
    return await Promise.race([settled, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Settles as `promise` does, or rejects with the signal's reason where that aborts first. What `promise` comes to
 * after that is nobody's: its rejection is no unhandled one.
 */
export async function unlessAborted<Value>(
  promise: Promise<Value>,
  signal: AbortSignal | undefined,
): Promise<Value> {
  if (signal === undefined) return promise;
  const aborted = deferred<never>();
  const onAbort = (): void => {
    aborted.reject(signal.reason);
  };
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** For a promise that is awaited later, or perhaps never: its rejection is no unhandled one. */
export function ignoreRejection(value: unknown): void {
  if (value instanceof Promise) value.catch(() => undefined);
}

/** A promise and the functions that settle it. */
export interface Deferred<Value> {
  readonly promise: Promise<Value>;
  readonly resolve: (value: Value) => void;
  readonly reject: (error: unknown) => void;
}

export function deferred<Value = void>(): Deferred<Value> {
  let resolve!: (value: Value) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<Value>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}

/** Runs at most `limit` functions at a time, in the order asked for. */
export function limitConcurrency(limit: number): <Result>(run: () => Promise<Result>) => Promise<Result> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (run) => {
    if (running >= limit) {
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
      });
    } else {
      running += 1;
    }
    try {
      return await run();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}

/** Wakes one waiter; a ring while nobody waits is not kept. */
export class Bell {
  #wake: (() => void) | undefined;

  ring(): void {
    this.#wake?.();
  }

  /** Resolves at the next ring, or after `ms` milliseconds. */
  async wait(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }
}
