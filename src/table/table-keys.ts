import { ConfigError } from "../errors.js";
import type { Serde, SerdeContext } from "../serde/serde.js";
import type { AnyTopic } from "../topic.js";

/**
 * Makes equal keys equal texts. Primitive keys are compared by their value, since a schema registry may write one in
 * several ways; all others by their bytes.
 */
export class TableKeys {
  readonly #topic: string;
  readonly #serde: Serde<unknown>;
  readonly #context: SerdeContext;

  constructor({ name, key }: AnyTopic) {
    this.#topic = name;
    this.#serde = key as Serde<unknown>;
    this.#context = Object.freeze({ topic: name, part: "key" });
  }

  /** The id of a record's key. */
  idOfRecord(key: unknown, bytes: Buffer): string {
    return primitiveId(key) ?? bytesId(bytes);
  }

  /** The id of a key that somebody asks for. @throws what the serde throws for a key that does not fit */
  idOf(key: unknown): string {
    const id = primitiveId(key);
    if (id !== undefined) return id;
    const bytes = this.#serde.serialize(key, this.#context);
    if (bytes instanceof Promise) {
      bytes.catch(() => undefined);
      throw new ConfigError(
        "key",
        `the serde of ${this.#topic}'s keys gives a promise: look keys that are objects up by a synchronous serde`,
      );
    }
    return bytesId(bytes);
  }
}

function primitiveId(key: unknown): string | undefined {
  switch (typeof key) {
    case "string":
      return `s${key}`;
    case "number":
    case "bigint":
    case "boolean":
      return `${typeof key} ${String(key)}`;
    default:
      return undefined;
  }
}

function bytesId(bytes: Buffer): string {
  return `b${bytes.toString("latin1")}`;
}
