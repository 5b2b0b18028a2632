import kafka, { type Message } from "@confluentinc/kafka-javascript";

/** A record as it is in the log. */
export interface LoggedRecord {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: string | null;
  readonly value: string | null;
  /** In order, duplicates kept. */
  readonly headers: readonly (readonly [string, string])[];
}

/**
 * Everything that is in a topic now, by partition and offset, read past the library with the raw client.
 * What transactions aborted is left out.
 */
export async function readLog(
  brokers: string,
  topic: string,
  options: { readonly partitions: number; readonly withinMs?: number },
): Promise<LoggedRecord[]> {
  const partitions = Array.from({ length: options.partitions }, (_, partition) => partition);
  const client = new kafka.KafkaConsumer(
    {
      "bootstrap.servers": brokers,
      "group.id": "read-log",
      "enable.auto.commit": false,
      "fetch.queue.backoff.ms": 10,
    },
    { "auto.offset.reset": "earliest" },
  );
  await done((callback) => client.connect({ timeout: 20_000 }, callback));
  try {
    const ends = await Promise.all(
      partitions.map(async (partition) => {
        const { highOffset } = await done<{ highOffset: number }>((callback) => {
          client.queryWatermarkOffsets(topic, partition, 20_000, callback);
        });
        return highOffset;
      }),
    );
    const positions = partitions.map(() => 0);
    const isRead = () =>
      partitions.every((partition) => (positions[partition] ?? 0) >= (ends[partition] ?? 0));
    client.assign(partitions.map((partition) => ({ topic, partition, offset: 0 })));
    client.setDefaultConsumeTimeout(50);
    const records: LoggedRecord[] = [];
    const deadline = Date.now() + (options.withinMs ?? 60_000);
    while (!isRead()) {
      if (Date.now() > deadline) throw new Error(`${topic}: read ${positions.join()} of ${ends.join()}`);
      for (const message of await done<Message[]>((callback) => client.consume(5_000, callback))) {
        positions[message.partition] = message.offset + 1;
        records.push(recordOf(message));
      }
      // Offsets without a record (of transactions) count as read.
      for (const { partition, offset } of client.position() as { partition: number; offset?: number }[]) {
        positions[partition] = Math.max(positions[partition] ?? 0, offset ?? 0);
      }
    }
    return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
  } finally {
    await new Promise<void>((resolve) => {
      client.disconnect(() => resolve());
    });
  }
}

function recordOf({ partition, offset, timestamp, key, value, headers }: Message): LoggedRecord {
  return {
    partition,
    offset,
    timestamp: timestamp ?? -1,
    key: key?.toString() ?? null,
    value: value?.toString() ?? null,
    headers: (headers ?? []).flatMap((header) =>
      Object.entries(header).map(([name, bytes]) => [name, String(bytes)] as const),
    ),
  };
}

function done<Result>(
  start: (callback: (error: unknown, result: Result) => void) => unknown,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    start((error, result) => {
      if (error) reject(error);
      else resolve(result);
    });
  });
}
