import type { AnySerde } from "./serde.js";

/** For every copy of this library in the process. */
const mayWait = Symbol.for("typed-kafka.may-wait");

/** What a serde has that may give a promise, such as one that asks a schema registry. */
export const waiting = Object.freeze({ [mayWait]: true });

/** Whether the serde may give promises, as far as it can be told before it is used. */
export function givesPromises(serde: AnySerde): boolean {
  return mayWait in serde || isAsync(serde.serialize) || isAsync(serde.deserialize);
}

function isAsync(call: unknown): boolean {
  return Object.prototype.toString.call(call) === "[object AsyncFunction]";
}
