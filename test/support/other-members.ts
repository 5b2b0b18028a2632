/** Members of a group that other clients make, which write down what they read. */
import binding from "@confluentinc/kafka-javascript";
import { Kafka as KafkajsKafka, logLevel, type PartitionAssigner, PartitionAssigners } from "kafkajs";

export interface OtherMember {
  /** How many partitions are assigned to it now. */
  readonly assigned: () => number;
  readonly close: () => Promise<void>;
}

type OnRecord = (value: string) => void;

/** kafkajs's one assigner under the name by which every other client knows it, as docs/migrating.md has it. */
export const roundrobin: PartitionAssigner = (config) => ({
  ...PartitionAssigners.roundRobin(config),
  name: "roundrobin",
});

/** One of kafkajs; without `partitionAssigners` with its default, which only kafkajs knows. */
export async function startKafkajsMember(
  brokers: string,
  {
    topic,
    groupId,
    partitionAssigners,
  }: {
    readonly topic: string;
    readonly groupId: string;
    readonly partitionAssigners?: PartitionAssigner[];
  },
  onRecord: OnRecord,
): Promise<OtherMember> {
  const kafka = new KafkajsKafka({ brokers: [brokers], logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({
    groupId,
    heartbeatInterval: 500,
    ...(partitionAssigners === undefined ? {} : { partitionAssigners }),
  });
  let assigned = 0;
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    assigned = payload.memberAssignment[topic]?.length ?? 0;
  });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    eachMessage: ({ message }) => {
      onRecord(String(message.value));
      return Promise.resolve();
    },
  });
  return {
    assigned: () => assigned,
    close: () => consumer.disconnect(),
  };
}

/** One of the KafkaJS API of the binding, with its defaults. */
export async function startBindingMember(
  brokers: string,
  { topic, groupId }: { readonly topic: string; readonly groupId: string },
  onRecord: OnRecord,
): Promise<OtherMember> {
  const { Kafka, logLevel: levels } = binding.KafkaJS;
  const kafka = new Kafka({ kafkaJS: { brokers: [brokers], logLevel: levels.NOTHING } });
  const consumer = kafka.consumer({ kafkaJS: { groupId, fromBeginning: true } });
  await consumer.connect();
  await consumer.subscribe({ topic });
  await consumer.run({
    eachMessage: ({ message }) => {
      onRecord(String(message.value));
      return Promise.resolve();
    },
  });
  return {
    assigned: () => consumer.assignment().length,
    close: () => consumer.disconnect(),
  };
}
