import type { Serde, SerdeContext } from "../../../src/serde/serde.js";

export const value: SerdeContext = Object.freeze({ topic: "students", part: "value" });
export const key: SerdeContext = Object.freeze({ topic: "students", part: "key" });

/** What comes back of a value that was written and read again. */
export async function roundTrip<T>(serde: Serde<T>, given: T): Promise<T> {
  return serde.deserialize(await serde.serialize(given, value), value);
}

/** What `run` throws, or rejects with. */
export async function failureOf(run: () => unknown): Promise<Error> {
  try {
    await run();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("it did not fail");
}
