import { describeGroup } from "../admin/describe-group.js";
import type { AclOperation } from "../admin/descriptions.js";
import { checkKnown } from "../check.js";
import type { ClientConfig } from "../driver/client-config.js";
import { NativeAdmin } from "../driver/native-admin.js";
import { AuthorizationError, ConfigError, KafkaError } from "../errors.js";
import {
  type FailureOptions,
  type ResolvedFailureOptions,
  resolveFailureOptions,
} from "../failure/options.js";
import { retryTransactionalIdPrefix } from "../failure/topic-names.js";
import type { AnyTopic } from "../topic.js";
import { type CheckOptions, checkSpecs } from "./options.js";
import { CheckReport, type Finding } from "./report.js";
import { checkTimeLimits } from "./time-limits.js";
import { topicFindings, type TopicUse } from "./topic-findings.js";

const queryTimeoutMs = 10_000;

/**
 * Looks at what a client with these options is going to need. Changes nothing.
 *
 * @throws `ConfigError` for wrong options
 */
export async function check(
  config: ClientConfig,
  topics: readonly AnyTopic[],
  options: CheckOptions,
): Promise<CheckReport> {
  checkKnown("CheckOptions", options, Object.keys(checkSpecs));
  // How long things may take is a finding where it is wrong, and the rest is for the client itself to check.
  const groupId = checkSpecs.groupId.check("groupId", options.groupId);
  const transactionalId = checkSpecs.transactionalId.check("transactionalId", options.transactionalId);
  const failure = resolveFailure(options, groupId, topics);
  const uses = usesOf(topics, options, failure);
  const findings: Finding[] = [...checkTimeLimits(options)];
  const admin = new NativeAdmin(config, () => undefined);
  try {
    const begin = performance.now();
    await admin.connect();
    const message = `${config.brokers} answered in ${Math.round(performance.now() - begin)} ms`;
    findings.unshift({ level: "ok", subject: "brokers", message });
    findings.push(...(await lookAtTopics(admin, uses)));
    if (groupId !== undefined) findings.push(await lookAtGroup(admin, config, groupId));
    if (transactionalId !== undefined) findings.push(transactionalIdFinding(transactionalId, "literal"));
    else if (options.retryTopics !== undefined)
      findings.push(transactionalIdFinding(retryTransactionalIdPrefix(groupId ?? ""), "prefixed"));
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error;
    findings.unshift({ level: "error", subject: "brokers", message: error.message });
  } finally {
    await admin.disconnect();
  }
  return new CheckReport(findings);
}

function resolveFailure(
  { retry, retryTopics, deadLetter, onInvalid }: FailureOptions,
  groupId: string | undefined,
  topics: readonly AnyTopic[],
): ResolvedFailureOptions | undefined {
  const options: FailureOptions = { retry, retryTopics, deadLetter, onInvalid };
  if (groupId === undefined && Object.values(options).some((option) => option !== undefined))
    throw new ConfigError("groupId", "is required with retry, retryTopics, deadLetter and onInvalid");
  return resolveFailureOptions(options, groupId ?? "", { topics: topics.map(({ name }) => name) });
}

function usesOf(
  topics: readonly AnyTopic[],
  { groupId, transactionalId, writes = [] }: CheckOptions,
  failure: ResolvedFailureOptions | undefined,
): readonly TopicUse[] {
  const needs: readonly AclOperation[] =
    groupId !== undefined ? ["READ"] : transactionalId !== undefined ? ["WRITE"] : [];
  const written = Array.isArray(writes) ? (writes as readonly AnyTopic[]) : [writes as AnyTopic];
  const use = (definition: AnyTopic, operations: readonly AclOperation[]): TopicUse => ({
    name: definition.name,
    definition,
    needs: operations,
    madeFrom: undefined,
  });
  return [
    ...topics.map((topic) => use(topic, needs)),
    ...written.map((topic) => use(topic, ["WRITE"])),
    ...(failure?.topics ?? []).map<TopicUse>((made) => ({
      name: made.name,
      definition: made.definition,
      needs: made.use === "retry" ? ["READ", "WRITE"] : ["WRITE"],
      madeFrom: made.sources,
    })),
  ];
}

async function lookAtTopics(admin: NativeAdmin, uses: readonly TopicUse[]): Promise<readonly Finding[]> {
  const names = [...new Set(uses.map(({ name }) => name))];
  if (names.length === 0) return [];
  const described = await admin.describeTopics(names, queryTimeoutMs);
  const byName = new Map(described.map((topic) => [topic.name, topic]));
  return uses.flatMap((use) => topicFindings(use, byName));
}

async function lookAtGroup(admin: NativeAdmin, config: ClientConfig, groupId: string): Promise<Finding> {
  const subject = `group ${groupId}`;
  const remedy = `grant it: kafka-acls.sh --add --allow-principal User:… --operation Read --group ${groupId}`;
  const mayNot: Finding = { level: "error", subject, message: "this principal may not READ it", remedy };
  try {
    const call = { config, groupId, timeoutMs: queryTimeoutMs, signal: new AbortController().signal };
    const { state, members, operations } = await describeGroup(admin, call);
    if (!operations.includes("READ")) return mayNot;
    const now =
      state === "dead"
        ? "is new"
        : `is ${state}, with ${members.length} ${members.length === 1 ? "member" : "members"}`;
    return { level: "ok", subject, message: `${now}; this principal may join it` };
  } catch (error) {
    if (error instanceof AuthorizationError) return mayNot;
    if (!(error instanceof KafkaError)) throw error;
    return { level: "error", subject, message: error.message };
  }
}

/** To ask is to take it over. */
function transactionalIdFinding(transactionalId: string, pattern: "literal" | "prefixed"): Finding {
  const isPrefix = pattern === "prefixed";
  return {
    level: "unknown",
    subject: isPrefix ? `transactional ids ${transactionalId}*` : `transactional id ${transactionalId}`,
    message: "cannot be tried without fencing a producer that runs under it",
    remedy: `to be sure: kafka-acls.sh --add --allow-principal User:… --operation Write --operation Describe ${isPrefix ? "--resource-pattern-type prefixed " : ""}--transactional-id ${transactionalId}`,
  };
}
