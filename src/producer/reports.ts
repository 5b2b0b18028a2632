import { setImmediate as nextTurn } from "node:timers/promises";

/**
 * Waits for reports that the native client has passed on already: the addon gives at most 100 of them in a turn
 * of the event loop. Resolves when two turns have brought none.
 *
 * @param count - how many have come so far
 */
export async function untilReported(count: () => number): Promise<void> {
  for (let before = -1; before !== count();) {
    before = count();
    await nextTurn();
    await nextTurn();
  }
}
