import type { ClientConfig } from "../driver/client-config.js";
import { NativeAdmin } from "../driver/native-admin.js";
import { ClosedError } from "../errors.js";

/** A native admin client that is made when it is first needed, and anew after it has died. */
export class AdminConnection {
  readonly #config: ClientConfig;
  readonly #closing = new AbortController();
  #native: Promise<NativeAdmin> | undefined;
  /** The one that connects, or is connected. */
  #latest: NativeAdmin | undefined;

  constructor(config: ClientConfig) {
    this.#config = config;
  }

  /** Aborts when it is closed. */
  get signal(): AbortSignal {
    return this.#closing.signal;
  }

  /** Which connection failed last, and why, to be put behind a message; empty where none did lately. */
  get trouble(): string {
    return this.#latest?.trouble ?? "";
  }

  async get(): Promise<NativeAdmin> {
    this.#closing.signal.throwIfAborted();
    this.#native ??= this.#connect();
    return this.#native;
  }

  async close(): Promise<void> {
    this.#closing.abort(new ClosedError("the admin client was closed"));
    const native = await this.#native?.catch(() => undefined);
    await native?.disconnect();
  }

  async #connect(): Promise<NativeAdmin> {
    const forget = (): void => {
      this.#native = undefined;
    };
    try {
      const native = new NativeAdmin(this.#config, forget);
      this.#latest = native;
      await native.connect(this.#closing.signal);
      return native;
    } catch (error) {
      forget();
      throw error;
    }
  }
}
