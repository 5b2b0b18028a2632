import { type ConfigError, InvalidRecordError, KafkaError, misuse, SerializationError } from "../errors.js";
import { causeOf, describeFailure, issuesOf, SerdeFailure } from "../serde/failure.js";
import type { Serde, SerdeContext } from "../serde/serde.js";
import { string } from "../serde/string.js";
import { ignoreRejection } from "../waiting.js";
import { type AnyStore, notSynchronous } from "./store-definition.js";
import { windowKey } from "./window-key.js";
import type { Windows } from "./windows.js";
import { type Entry, idOf } from "./write.js";

/** What an error shows of an entry. */
interface BytesOfEntry {
  readonly key: Buffer;
  readonly value: Buffer | null;
}

/** Keys and values of a store as bytes, and back. Synchronous, as its methods are. */
export class StoreCodec {
  readonly #name: string;
  readonly #changelog: string;
  readonly #partition: number;
  readonly #key: Serde<unknown>;
  readonly #value: Serde<unknown>;
  readonly #areKeysTexts: boolean;
  readonly #keyContext: SerdeContext;
  readonly #valueContext: SerdeContext;

  /** `changelog` is the topic that serdes are told. */
  constructor({ name, key, value }: AnyStore, changelog: string, partition: number) {
    this.#partition = partition;
    this.#name = name;
    this.#changelog = changelog;
    this.#key = key as Serde<unknown>;
    this.#areKeysTexts = key.serialize === string().serialize;
    this.#value = value as Serde<unknown>;
    this.#keyContext = Object.freeze({ topic: changelog, part: "key" });
    this.#valueContext = Object.freeze({ topic: changelog, part: "value" });
  }

  /** @throws `SerializationError` */
  encodeKey(key: unknown): Buffer {
    return this.#encode("key", this.#key, key, this.#keyContext);
  }

  /** The id of a key. @throws `SerializationError` */
  idOf(key: unknown): string {
    // Its characters are its bytes.
    if (this.#areKeysTexts && typeof key === "string" && isAscii(key)) return key;
    return idOf(this.encodeKey(key));
  }

  /** @throws `SerializationError` */
  encodeValue(value: unknown): Buffer {
    return this.#encode("value", this.#value, value, this.#valueContext);
  }

  /** @throws `InvalidRecordError` */
  decodeKey(entry: Entry): unknown {
    return this.#decode("key", this.#key, entry, this.#keyContext);
  }

  /** @throws `InvalidRecordError` */
  decodeValue(entry: Entry): unknown {
    return this.#decode("value", this.#value, entry, this.#valueContext);
  }

  /**
   * The window that a key of the changelog is of: whoever may write to that topic may write any key.
   * @throws `InvalidRecordError`
   */
  decodeWindowKey(windows: Windows, key: Buffer): ReturnType<typeof windowKey.decode> {
    try {
      return windowKey.decode(windows, key);
    } catch (thrown) {
      throw this.#invalid("key", { key, value: null }, thrown);
    }
  }

  #encode(part: "key" | "value", serde: Serde<unknown>, given: unknown, context: SerdeContext): Buffer {
    try {
      if (given === undefined || given === null)
        throw new SerdeFailure(
          `is ${String(given)}${part === "value" ? ": to remove an entry use delete" : ""}`,
        );
      const bytes = serde.serialize(given, context);
      if (bytes instanceof Promise) throw this.#isAsynchronous(part, bytes);
      if (!Buffer.isBuffer(bytes)) throw new SerdeFailure("the serde gave no Buffer");
      return bytes;
    } catch (thrown) {
      if (thrown instanceof KafkaError) throw thrown;
      throw new SerializationError(`store ${this.#name}: ${describeFailure(part, thrown)}`, {
        ...causeOf(thrown),
        topic: this.#changelog,
        part,
        issues: issuesOf(thrown),
      });
    }
  }

  #decode(part: "key" | "value", serde: Serde<unknown>, entry: Entry, context: SerdeContext): unknown {
    try {
      const given = serde.deserialize(entry[part], context);
      if (given instanceof Promise) throw this.#isAsynchronous(part, given);
      return given;
    } catch (thrown) {
      throw this.#invalid(part, entry, thrown);
    }
  }

  #isAsynchronous(part: "key" | "value", nobodys: Promise<unknown>): ConfigError {
    ignoreRejection(nobodys);
    return misuse(notSynchronous(part, this.#name));
  }

  #invalid(part: "key" | "value", { key, value }: BytesOfEntry, thrown: unknown): KafkaError {
    if (thrown instanceof KafkaError) return thrown;
    return new InvalidRecordError(
      `store ${this.#name}: an entry does not fit the definition: ${describeFailure(part, thrown)}. ` +
        "Read what was written before too, or use a store of another name",
      {
        ...causeOf(thrown),
        topic: this.#changelog,
        partition: this.#partition,
        offset: -1,
        part,
        issues: issuesOf(thrown),
        raw: { key, value, headers: [] },
      },
    );
  }
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) if (text.charCodeAt(index) > 0x7f) return false;
  return true;
}
