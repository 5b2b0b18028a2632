import {
  type Attributes,
  type Counter,
  type Histogram,
  metrics,
  type Meter,
  type MeterProvider,
  type UpDownCounter,
} from "@opentelemetry/api";
import type {
  CommitActivity,
  Ended,
  FailureEvent,
  LateRecordEvent,
  MemberActivity,
  OffsetResetEvent,
  ProcessActivity,
  RestoreActivity,
  RestoreEnded,
  AssignmentChange,
  SendActivity,
  SendEnded,
  TransactionEnded,
  WindowsClosedEvent,
} from "../telemetry/activities.js";
import { version } from "../version.js";
import { errorType, instrumentationName, ofGroup, ofKafka, shared } from "./attributes.js";

/** As the semantic conventions have them for durations of messaging. */
const bucketsInSeconds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
/** A restore may be a few entries, or millions. */
const restoreBucketsInSeconds = [0.01, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600];

interface Instruments {
  readonly sent: Counter;
  readonly consumed: Counter;
  readonly operations: Histogram;
  readonly processing: Histogram;
  readonly failures: Counter;
  readonly rebalances: Counter;
  readonly goneOffsets: Counter;
  readonly offsetResets: Counter;
  readonly transactions: Counter;
  readonly restoring: UpDownCounter;
  readonly restores: Histogram;
  readonly restoredEntries: Counter;
  readonly lateRecords: Counter;
  readonly closedWindows: Counter;
}

/** The metrics. Instruments are made at the first use: unlike a tracer, a global meter does not wait for its SDK. */
export class Measurements {
  readonly #provider: MeterProvider | undefined;
  readonly #members = new Set<MemberActivity>();
  #made: Instruments | undefined;

  constructor(provider: MeterProvider | undefined) {
    this.#provider = provider;
  }

  sent({ topic }: SendActivity, ended: SendEnded, seconds: number): void {
    const { sent, operations } = this.#instruments();
    const attributes: Attributes = {
      ...ofKafka,
      "messaging.operation.name": "send",
      "messaging.operation.type": "send",
      "messaging.destination.name": topic,
    };
    if (ended.sent > 0) sent.add(ended.sent, attributes);
    // Others than those above, because an SDK keeps what it was given.
    const outcome = "error" in ended ? { ...attributes, "error.type": errorType(ended.error) } : attributes;
    if (ended.failed > 0) sent.add(ended.failed, outcome);
    operations.record(seconds, outcome);
  }

  processed({ groupId, records }: ProcessActivity, ended: Ended, seconds: number): void {
    const { consumed, processing } = this.#instruments();
    const attributes: Attributes = {
      ...ofGroup(groupId),
      "messaging.operation.name": "process",
      "messaging.operation.type": "process",
    };
    addTopic(
      attributes,
      shared(records, (record) => record.topic),
    );
    addError(attributes, ended);
    consumed.add(records.length, attributes);
    processing.record(seconds, attributes);
  }

  committed(
    { groupId, topics, transactionalId }: CommitActivity,
    ended: TransactionEnded,
    seconds: number,
  ): void {
    const attributes: Attributes = {
      ...ofGroup(groupId),
      "messaging.operation.name": "commit",
      "messaging.operation.type": "settle",
    };
    addTopic(
      attributes,
      shared(topics, (topic) => topic),
    );
    addError(attributes, ended);
    this.#instruments().operations.record(seconds, attributes);
    if (transactionalId !== undefined) this.transacted(ended, ofGroup(groupId));
  }

  transacted({ outcome = "unknown" }: TransactionEnded, attributes: Attributes = {}): void {
    this.#instruments().transactions.add(1, {
      ...ofKafka,
      "typed_kafka.transaction.outcome": outcome,
      ...attributes,
    });
  }

  failed({ groupId, topic, reason, action }: FailureEvent): void {
    this.#instruments().failures.add(1, {
      ...ofGroup(groupId),
      "messaging.destination.name": topic,
      "typed_kafka.failure.reason": reason,
      "typed_kafka.failure.action": action,
    });
  }

  rebalanced({ groupId, type }: AssignmentChange): void {
    this.#instruments().rebalances.add(1, {
      ...ofGroup(groupId),
      "typed_kafka.rebalance.type": type,
    });
  }

  offsetReset({ groupId, topic, reason, gone }: OffsetResetEvent): void {
    const attributes: Attributes = {
      ...ofGroup(groupId),
      "messaging.destination.name": topic,
    };
    const { goneOffsets, offsetResets } = this.#instruments();
    if (gone > 0) goneOffsets.add(gone, attributes);
    offsetResets.add(1, { ...attributes, "typed_kafka.offset_reset.reason": reason });
  }

  restoreBegan(restore: RestoreActivity): void {
    this.#instruments().restoring.add(1, ofStore(restore));
  }

  restored(restore: RestoreActivity, ended: RestoreEnded, seconds: number): void {
    const { restoring, restores, restoredEntries } = this.#instruments();
    restoring.add(-1, ofStore(restore));
    if (ended.entries > 0) restoredEntries.add(ended.entries, ofStore(restore));
    const attributes: Attributes = { ...ofStore(restore), "typed_kafka.restore.outcome": ended.outcome };
    addError(attributes, ended);
    restores.record(seconds, attributes);
  }

  lateRecord(event: LateRecordEvent): void {
    this.#instruments().lateRecords.add(1, ofStore(event));
  }

  windowsClosed(event: WindowsClosedEvent): void {
    this.#instruments().closedWindows.add(event.windows, ofStore(event));
  }

  /** The member's lag, and whether it waits, are observed from here until the function is called that this gives. */
  member(member: MemberActivity): () => void {
    this.#instruments();
    this.#members.add(member);
    return () => {
      this.#members.delete(member);
    };
  }

  /** How many members wait, by group and code. */
  #waiting(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { groupId, waiting } of this.#members) {
      const code = waiting()?.code;
      if (code === undefined) continue;
      const key = JSON.stringify([groupId, code]);
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    return counts;
  }

  #instruments(): Instruments {
    this.#made ??= this.#make((this.#provider ?? metrics).getMeter(instrumentationName, version));
    return this.#made;
  }

  #make(meter: Meter): Instruments {
    const seconds = { unit: "s", advice: { explicitBucketBoundaries: bucketsInSeconds } };
    meter
      .createObservableGauge("typed_kafka.consumer.lag", {
        unit: "{message}",
        description: "Records behind the end of the log as of the last fetch.",
      })
      .addCallback((result) => {
        for (const { groupId, lag } of this.#members) {
          for (const { topic, partition, lag: records } of lag())
            result.observe(records, {
              ...ofGroup(groupId),
              "messaging.destination.name": topic,
              "messaging.destination.partition.id": String(partition),
            });
        }
      });
    meter
      .createObservableGauge("typed_kafka.consumer.waiting", {
        unit: "{member}",
        description: "Members that their group refuses, or has given no partition for 30 s.",
      })
      .addCallback((result) => {
        for (const [key, count] of this.#waiting()) {
          const [groupId = "", code = ""] = JSON.parse(key) as string[];
          result.observe(count, {
            ...ofGroup(groupId),
            "typed_kafka.wait.code": code,
          });
        }
      });
    return {
      sent: meter.createCounter("messaging.client.sent.messages", {
        unit: "{message}",
        description: "Number of messages producer attempted to send to the broker.",
      }),
      consumed: meter.createCounter("messaging.client.consumed.messages", {
        unit: "{message}",
        description: "Number of messages that were delivered to the application.",
      }),
      operations: meter.createHistogram("messaging.client.operation.duration", {
        ...seconds,
        description: "Duration of messaging operation initiated by a producer or consumer client.",
      }),
      processing: meter.createHistogram("messaging.process.duration", {
        ...seconds,
        description: "Duration of processing operation.",
      }),
      failures: meter.createCounter("typed_kafka.failures", {
        unit: "{failure}",
        description: "What the failure policy decided about records that failed.",
      }),
      rebalances: meter.createCounter("typed_kafka.rebalances", {
        unit: "{rebalance}",
        description: "Rebalances that a member took part in.",
      }),
      goneOffsets: meter.createCounter("typed_kafka.gone_offsets", {
        unit: "{offset}",
        description: "Offsets that retention removed before the group had read them.",
      }),
      offsetResets: meter.createCounter("typed_kafka.offset_resets", {
        unit: "{reset}",
        description: "Partitions that went on elsewhere because their log does not have the next offset.",
      }),
      transactions: meter.createCounter("typed_kafka.transactions", {
        unit: "{transaction}",
        description: "Transactions, by what became of them.",
      }),
      restoring: meter.createUpDownCounter("typed_kafka.restoring", {
        unit: "{restore}",
        description: "Changelogs that are being read, before the records of their tasks are delivered.",
      }),
      restores: meter.createHistogram("typed_kafka.restore.duration", {
        unit: "s",
        advice: { explicitBucketBoundaries: restoreBucketsInSeconds },
        description: "Duration of reading the changelog of a store for one task.",
      }),
      restoredEntries: meter.createCounter("typed_kafka.restored_entries", {
        unit: "{entry}",
        description: "Entries and deletions that were read from changelogs.",
      }),
      lateRecords: meter.createCounter("typed_kafka.late_records", {
        unit: "{message}",
        description: "Records whose windows had all closed.",
      }),
      closedWindows: meter.createCounter("typed_kafka.closed_windows", {
        unit: "{window}",
        description: "Windows that have closed.",
      }),
    };
  }
}

function ofStore({ groupId, store }: { readonly groupId: string; readonly store: string }): Attributes {
  return {
    ...ofGroup(groupId),
    "typed_kafka.store": store,
  };
}

function addTopic(attributes: Attributes, topic: string | undefined): void {
  if (topic !== undefined) attributes["messaging.destination.name"] = topic;
}

function addError(attributes: Attributes, ended: Ended): void {
  if ("error" in ended) attributes["error.type"] = errorType(ended.error);
}
