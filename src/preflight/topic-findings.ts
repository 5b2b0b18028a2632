import { type AclOperation, type TopicDescription, topicDescriptionOf } from "../admin/descriptions.js";
import { differencesOf } from "../admin/topic-differences.js";
import type { NativeTopicDescription } from "../driver/native-admin.js";
import { fromNative } from "../driver/native-errors.js";
import { AuthorizationError } from "../errors.js";
import { partitionsFlaw } from "../state/changelogs.js";
import type { AnyTopic } from "../topic.js";
import type { Finding } from "./report.js";

/** A topic to look at, and what for. */
export interface TopicUse {
  readonly name: string;
  /** Its definition, where there is one to compare with. */
  readonly definition: AnyTopic | undefined;
  /** What will be done with it; empty where that is not known. */
  readonly needs: readonly AclOperation[];
  /** The library makes it at the start, with as many partitions as the largest of these topics. */
  readonly madeFrom: readonly string[] | undefined;
  /** It is the changelog of a store, which needs exactly as many. */
  readonly isChangelog?: boolean;
}

/** What there is to say of a topic, given what the brokers say of all of them. Pure. */
export function topicFindings(
  use: TopicUse,
  described: ReadonlyMap<string, NativeTopicDescription>,
): readonly Finding[] {
  const { name } = use;
  const subject = `topic ${name}`;
  const native = described.get(name);
  if (native === undefined) return [{ level: "error", subject, message: "the brokers said nothing of it" }];
  if (native.error !== undefined) return [refused(use, subject, native.error)];
  const topic = topicDescriptionOf(native);
  const problems = [
    ...placement(topic, subject),
    ...difference(use, topic, subject),
    ...wrongPartitions(use, topic, described, subject),
    ...rights(use, topic, subject),
  ];
  const count = topic.partitions.length;
  const operations = (["READ", "WRITE"] as const).filter((operation) => topic.operations.includes(operation));
  const message = `${count} ${count === 1 ? "partition" : "partitions"}, replication factor ${topic.replicationFactor}; this principal may ${operations.join(" and ")} it`;
  const worst = problems.some(({ level }) => level === "error");
  return worst ? problems : [{ level: "ok", subject, message }, ...problems];
}

function refused(
  { name, madeFrom, definition, isChangelog }: TopicUse,
  subject: string,
  nativeError: NonNullable<NativeTopicDescription["error"]>,
): Finding {
  const error = fromNative(name, nativeError);
  if (error.code === "UNKNOWN_TOPIC" && madeFrom !== undefined)
    return {
      level: "warning",
      subject,
      message:
        "does not exist; it is made at the start if this principal may CREATE it, which cannot be found out",
      remedy:
        isChangelog === true
          ? `make it yourself to be sure, with as many partitions as ${madeFrom[0] ?? "its source"}: kafka-topics.sh --create --topic ${name} --config cleanup.policy=compact`
          : "make it yourself to be sure",
    };
  if (error.code === "UNKNOWN_TOPIC")
    return {
      level: "error",
      subject,
      message: "does not exist",
      call: "kafka.admin().ensureTopics(…)",
      remedy: `kafka-topics.sh --create --topic ${name}${definition?.partitions === undefined ? "" : ` --partitions ${definition.partitions}`}`,
    };
  if (error instanceof AuthorizationError)
    return {
      level: "error",
      subject,
      message: "this principal may not even see it, or it does not exist",
      remedy: `grant it: kafka-acls.sh --add --allow-principal User:… --operation Describe --topic ${name}`,
    };
  return { level: "error", subject, message: error.message };
}

function placement({ partitions }: TopicDescription, subject: string): readonly Finding[] {
  const numbers = (list: readonly { readonly partition: number }[]): string =>
    list.map(({ partition }) => partition).join(", ");
  const leaderless = partitions.filter(({ leader }) => leader === undefined);
  const behind = partitions.filter(({ inSync, replicas }) => inSync.length < replicas.length);
  const findings: Finding[] = [];
  if (leaderless.length > 0)
    findings.push({
      level: "error",
      subject,
      message: `no broker leads partition ${numbers(leaderless)}: it can be neither read nor written`,
      remedy: "start the brokers that hold it",
    });
  if (behind.length > 0)
    findings.push({
      level: "warning",
      subject,
      message: `not all replicas of partition ${numbers(behind)} are in sync`,
    });
  return findings;
}

function difference(
  { definition, needs }: TopicUse,
  topic: TopicDescription,
  subject: string,
): readonly Finding[] {
  if (definition === undefined) return [];
  const findings = differencesOf(definition, topic).map<Finding>(({ what, wanted, actual, advice }) => ({
    level: "warning",
    subject,
    message: `has ${what} ${actual}, its definition says ${wanted}`,
    ...(what === "partitions" && wanted > actual ? morePartitions(topic.name, wanted) : { remedy: advice }),
  }));
  const inSync = Number(definition.config["min.insync.replicas"]);
  if (inSync > topic.replicationFactor && (needs.length === 0 || needs.includes("WRITE")))
    findings.push({
      level: "error",
      subject,
      message: `its definition says min.insync.replicas ${inSync}, but only ${topic.replicationFactor} brokers hold it: nothing can be written`,
    });
  return findings;
}

function wrongPartitions(
  { madeFrom, isChangelog }: TopicUse,
  topic: TopicDescription,
  described: ReadonlyMap<string, NativeTopicDescription>,
  subject: string,
): readonly Finding[] {
  const wanted = Math.max(0, ...(madeFrom ?? []).map((name) => described.get(name)?.partitions.length ?? 0));
  if (isChangelog === true) {
    const flaw = wanted === 0 ? undefined : partitionsFlaw(topic.partitions.length, wanted);
    return flaw === undefined ? [] : [{ level: "error", subject, ...flaw }];
  }
  if (topic.partitions.length >= wanted) return [];
  return [
    {
      level: "warning",
      subject,
      message: `has ${topic.partitions.length} partitions, its source has ${wanted}`,
      ...morePartitions(topic.name, wanted),
    },
  ];
}

/** Keys map to other partitions then, which whoever does it has to know. */
function morePartitions(name: string, total: number): Pick<Finding, "call" | "remedy"> {
  return {
    call: `kafka.admin().createPartitions("${name}", ${total})`,
    remedy: `kafka-topics.sh --alter --topic ${name} --partitions ${total} (keys then map to other partitions)`,
  };
}

function rights(
  { needs }: TopicUse,
  { name, operations }: TopicDescription,
  subject: string,
): readonly Finding[] {
  const remedy = (operation: AclOperation): string =>
    `grant it: kafka-acls.sh --add --allow-principal User:… --operation ${operation === "READ" ? "Read" : "Write"} --topic ${name}`;
  if (needs.length === 0 && !operations.includes("READ") && !operations.includes("WRITE"))
    return [
      {
        level: "error",
        subject,
        message: "this principal may neither READ nor WRITE it",
        remedy: remedy("READ"),
      },
    ];
  return needs
    .filter((operation) => !operations.includes(operation))
    .map((operation) => ({
      level: "error",
      subject,
      message: `this principal may not ${operation} it`,
      remedy: remedy(operation),
    }));
}
