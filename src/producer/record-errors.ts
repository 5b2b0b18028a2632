import { errorCodeOf } from "../driver/error-codes.js";
import { fromNative, nativeCodes } from "../driver/native-errors.js";
import { nativeErrorText } from "../driver/native-producer.js";
import { AuthorizationError, KafkaError } from "../errors.js";

/** The typed error of one record, which says what to do about it. `trouble`: which connection failed last, if any did. */
export function recordError(
  code: number,
  topic: string,
  partition: number | undefined,
  deliveryTimeoutMs: number,
  trouble = "",
): KafkaError {
  const what = partition === undefined ? `send to ${topic}` : `send to ${topic}[${partition}]`;
  // Whether a topic exists is for the brokers that can be reached to say.
  const isUnknown = errorCodeOf(code).code === "UNKNOWN_TOPIC";
  const message = `${textOf(code, deliveryTimeoutMs)}${isUnknown ? trouble : ""}`;
  return fromNative(what, { code, message }, { topic, partition }, trouble);
}

/** The typed error of a transaction that has failed as a whole, from what the native client says of it. */
export function transactionError(what: string, cause: KafkaError, timeoutMs: number): KafkaError {
  const { nativeCode: code = nativeCodes.state } = cause;
  return fromNative(what, { code, message: textOf(code, timeoutMs) }, { cause });
}

/** The error of a producer whose native client has ended for good, from what that said. */
export function deadError(cause: KafkaError): KafkaError {
  const { nativeCode } = cause;
  // An idempotent producer asks for an id before it sends anything, which needs the right to write to some topic.
  if (/authorization failed/i.test(cause.message)) {
    const advice =
      "Grant the principal WRITE on its topics (or IDEMPOTENT_WRITE on the cluster), and make a new producer";
    return new AuthorizationError(`${cause.message}. ${advice}`, { cause, nativeCode });
  }
  const advice = "This producer can send nothing more: close it and make a new one";
  return new KafkaError("FATAL", `${cause.message}. ${advice}`, { cause, nativeCode });
}

function textOf(code: number, deliveryTimeoutMs: number): string {
  switch (code) {
    case nativeCodes.unknownTopic:
    case nativeCodes.unknownTopicOrPartition:
      return "the topic does not exist: create it, for example with `kafka.admin().ensureTopics([topic])`";
    case nativeCodes.unknownPartition:
      return "the topic has no such partition";
    case nativeCodes.invalidTimestamp:
      return "the broker refused the record's timestamp: the topic takes those within `message.timestamp.before.max.ms` and `message.timestamp.after.max.ms` of the broker's clock";
    case nativeCodes.invalidRecord:
      return "the broker refused the record: it, or another of its batch, lacks the key that a compacted topic wants, has a timestamp that is not within `message.timestamp.before.max.ms` and `message.timestamp.after.max.ms`, or fails a check of the broker's own";
    case nativeCodes.invalidDifferentRecord:
      return "the broker refused another record of the same batch, and so the whole batch: this one was not written, and may be sent again (or, where no record names a timestamp, this machine's clock is far from the broker's)";
    case nativeCodes.unsupportedCompressionType:
    case nativeCodes.unsupportedForMessageFormat:
      return `${nativeErrorText(code)}: the topic does not take batches like this; see its \`compression.type\`, and the option \`compression\``;
    case nativeCodes.notEnoughReplicas:
      return "the partition has fewer replicas in sync than `min.insync.replicas`, so its leader takes nothing";
    case nativeCodes.notEnoughReplicasAfterAppend:
      return "the record is in the leader's log, but fewer replicas than `min.insync.replicas` have it: it may be lost again";
    case nativeCodes.recordListTooLarge:
      return "the broker refused a batch of records as larger than the topic's `segment.bytes`: make batches smaller with the option `maxBatchBytes`";
    case nativeCodes.messageTooLarge:
      return "the broker refused a batch of records as too large: its limit is the topic's `max.message.bytes` (or the broker's `message.max.bytes`); raise it, or where each record fits, make batches smaller with the option `maxBatchBytes`";
    case nativeCodes.unconfirmed:
      return "the broker acknowledged later records of this partition, but not this one, which may have been refused: look whether it is in the log before sending it again";
    case nativeCodes.messageTimedOut:
      return `not acknowledged within deliveryTimeoutMs (${deliveryTimeoutMs} ms): it may have been written all the same`;
    default:
      return nativeErrorText(code);
  }
}
