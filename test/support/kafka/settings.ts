import { join } from "node:path";
import type { Properties } from "./node.js";

/** What all servers of tests have. */
export const forTests: Properties = {
  "auto.create.topics.enable": false,
  "unclean.leader.election.enable": false,
  // Members of a new group wait for others by default; tests know who comes.
  "group.initial.rebalance.delay.ms": 0,
  // The default of 6 s would have every test of a lost member wait that long.
  "group.min.session.timeout.ms": 1000,
  "group.consumer.min.session.timeout.ms": 1000,
  "group.consumer.min.heartbeat.interval.ms": 500,
  "group.consumer.heartbeat.interval.ms": 500,
  "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1000,
  "offsets.topic.num.partitions": 4,
  "transaction.state.log.num.partitions": 4,
};

/** What a cluster of one node needs. */
export const single: Properties = {
  "offsets.topic.replication.factor": 1,
  "transaction.state.log.replication.factor": 1,
  "transaction.state.log.min.isr": 1,
};

/** The options of `java`, class path included. */
export const javaOptions = (jars: string, heapMb: number): string[] => [
  `-Xmx${heapMb}m`,
  "-XX:TieredStopAtLevel=1",
  "-XX:+UseSerialGC",
  "-Xshare:auto",
  "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
  "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
  "-cp",
  join(jars, "*"),
];
