import { setImmediate as nextTurn } from "node:timers/promises";

/** What needs no timer has happened. A machine that is busy takes some work in several turns: it looks at the clock. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await nextTurn();
}
