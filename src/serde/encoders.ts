import { checkTopic } from "../given-topic.js";
import type { AnyTopic } from "../topic.js";
import { createEncoder, type Encoder } from "./encoder.js";

/** The encoders of the topics that a client sends to, each made once. */
export class Encoders {
  readonly #made = new WeakMap<AnyTopic, Encoder>();

  /** @throws `ConfigError` for what is no topic */
  of(topic: AnyTopic): Encoder {
    let encoder = this.#made.get(topic);
    if (encoder === undefined) {
      encoder = createEncoder(checkTopic("topic", topic, "send(topic, { value })"));
      this.#made.set(topic, encoder);
    }
    return encoder;
  }
}
