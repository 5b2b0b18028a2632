import type { FailurePolicy } from "../failure/failure-policy.js";
import type { RawRecord } from "../record.js";
import { createDecoder, type Decoder } from "../serde/decoder.js";
import { type AnyTopicPattern, topicOf } from "../topic-pattern.js";
import type { AnyTopic } from "../topic.js";

/**
 * Decodes the records of all topics that a client reads; those of a retry topic as records of its source topic, for
 * which the policy restores them. A decoder is made at a topic's first record, because the topics that a pattern fits
 * are not known before.
 */
export function createRecordDecoder(
  topics: readonly (AnyTopic | AnyTopicPattern)[],
  policy: FailurePolicy | undefined,
): (raw: RawRecord) => unknown {
  const decoders = new Map<string, Decoder<AnyTopic>>();
  let lastTopic: string | undefined;
  let lastDecoder: Decoder<AnyTopic> | undefined;

  function newDecoder(name: string): Decoder<AnyTopic> {
    if (policy?.isRetryTopic(name) !== true) return createDecoder(topicOf(topics, name));
    const decode = createDecoder(topicOf(topics, policy.sourceOf(name)));
    return (raw) => decode(policy.restore(raw));
  }

  function decoderOf(name: string): Decoder<AnyTopic> {
    let decoder = decoders.get(name);
    if (decoder === undefined) {
      decoder = newDecoder(name);
      decoders.set(name, decoder);
    }
    return decoder;
  }

  return (raw) => {
    // Most records are of the same topic as the one before, and comparing is quicker than looking up.
    if (raw.topic !== lastTopic) {
      lastDecoder = decoderOf(raw.topic);
      lastTopic = raw.topic;
    }
    return lastDecoder?.(raw);
  };
}
