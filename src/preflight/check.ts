import { describeGroup, isNotListed } from "../admin/describe-group.js";
import type { AclOperation } from "../admin/descriptions.js";
import { checkKnown } from "../check.js";
import type { ClientConfig } from "../driver/client-config.js";
import { NativeAdmin, type NativeTopicDescription } from "../driver/native-admin.js";
import { AuthorizationError, ConfigError, KafkaError } from "../errors.js";
import {
  type FailureOptions,
  type ResolvedFailureOptions,
  resolveFailureOptions,
} from "../failure/options.js";
import { retryTransactionalIdPrefix } from "../failure/topic-names.js";
import { checkStoreOptions } from "../processor/options.js";
import { settingsFlaw, sizesFlaw, type StoresOfGroup } from "../state/changelogs.js";
import { changelogName } from "../state/store-definition.js";
import type { AnyTopic } from "../topic.js";
import { type BrokerSettings, type Membership, membershipFindings } from "./group-findings.js";
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
  const group = storesOf(options, groupId);
  const uses = usesOf(topics, options, failure, group);
  const membership = membershipOf(options);
  const findings: Finding[] = [];
  const admin = new NativeAdmin(config, () => undefined);
  try {
    const begin = performance.now();
    await admin.connect();
    const message = `${config.brokers} answered in ${Math.round(performance.now() - begin)} ms`;
    findings.push({ level: "ok", subject: "brokers", message });
    const asked = groupId === undefined ? undefined : await askSettings(admin, "brokers");
    findings.push(...checkTimeLimits(options, asked?.settings));
    findings.push(...(await lookAtTopics(admin, uses, group)));
    if (groupId !== undefined)
      findings.push(...(await lookAtGroup(admin, config, groupId, membership, asked?.settings)));
    if (asked?.finding !== undefined) findings.push(asked.finding);
    if (transactionalId !== undefined) findings.push(transactionalIdFinding(transactionalId, "literal"));
    else if (options.retryTopics !== undefined)
      findings.push(transactionalIdFinding(retryTransactionalIdPrefix(groupId ?? ""), "prefixed"));
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error;
    findings.unshift({ level: "error", subject: "brokers", message: error.message });
    if (findings.length === 1) findings.push(...checkTimeLimits(options, undefined));
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

function storesOf(options: CheckOptions, groupId: string | undefined): StoresOfGroup {
  const stores = checkSpecs.stores.check("stores", options.stores);
  checkStoreOptions(options);
  if (groupId === undefined && stores.length > 0)
    throw new ConfigError("groupId", "is required with stores, whose changelogs are named after it");
  return { groupId: groupId ?? "", stores, onDisk: options.stateDirectory !== undefined };
}

function usesOf(
  topics: readonly AnyTopic[],
  { groupId, transactionalId, writes = [] }: CheckOptions,
  failure: ResolvedFailureOptions | undefined,
  group: StoresOfGroup,
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
    ...group.stores.map<TopicUse>((store) => ({
      name: changelogName(group.groupId, store.name),
      definition: undefined,
      needs: ["READ", "WRITE"],
      madeFrom: topics.map(({ name }) => name),
      isChangelog: true,
    })),
  ];
}

async function lookAtTopics(
  admin: NativeAdmin,
  uses: readonly TopicUse[],
  group: StoresOfGroup,
): Promise<readonly Finding[]> {
  const names = [...new Set(uses.map(({ name }) => name))];
  if (names.length === 0) return [];
  const described = await admin.describeTopics(names, queryTimeoutMs);
  const byName = new Map(described.map((topic) => [topic.name, topic]));
  const findings = uses.flatMap((use) => topicFindings(use, byName));
  if (group.stores.length === 0) return findings;
  const existing = described.filter(({ error }) => error === undefined);
  return [
    ...findings,
    ...taskFindings(uses, existing),
    ...(await lookAtChangelogs(admin, group, new Set(existing.map(({ name }) => name)))),
  ];
}

/** What makes the topics that are read no tasks, which stores need. */
function taskFindings(
  uses: readonly TopicUse[],
  existing: readonly NativeTopicDescription[],
): readonly Finding[] {
  const read = uses.filter(({ needs, isChangelog }) => needs.includes("READ") && isChangelog !== true);
  const flaw = sizesFlaw(
    existing
      .filter(({ name }) => read.some((use) => use.name === name))
      .map(({ name, partitions }) => ({ name, partitions: partitions.length })),
  );
  return flaw === undefined ? [] : [{ level: "error", subject: "stores", ...flaw }];
}

/** Whether changelogs that exist keep what their stores need. */
async function lookAtChangelogs(
  admin: NativeAdmin,
  { groupId, stores, onDisk }: StoresOfGroup,
  existing: ReadonlySet<string>,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const store of stores) {
    const topic = changelogName(groupId, store.name);
    if (!existing.has(topic)) continue;
    const { settings, finding } = await askSettings(admin, { topic });
    const flaw = settings && settingsFlaw(topic, store, settings, onDisk);
    if (flaw !== undefined) findings.push({ level: "error", subject: `topic ${topic}`, ...flaw });
    if (finding !== undefined) findings.push(finding);
  }
  return findings;
}

/** How the client is going to join its group. */
function membershipOf(options: CheckOptions): Membership {
  const groupProtocol = checkSpecs.groupProtocol.check("groupProtocol", options.groupProtocol);
  const assignors = checkSpecs.assignor.check("assignor", options.assignor) ?? "cooperative-sticky";
  return { groupProtocol, assignors: assignors.split(",") };
}

/** What the brokers, or a topic, are configured with, or a finding of why that is not known. */
async function askSettings(
  admin: NativeAdmin,
  of: "brokers" | { readonly topic: string },
): Promise<{ readonly settings?: BrokerSettings; readonly finding?: Finding }> {
  const [subject, consequence, resource] =
    of === "brokers"
      ? [
          "settings of the brokers",
          "so session timeout, group protocol and group size are not compared with them",
          "--cluster",
        ]
      : [`settings of ${of.topic}`, "so whether it is compacted is not known", `--topic ${of.topic}`];
  try {
    const settings = await admin.settingsOf(of, queryTimeoutMs);
    if (settings !== undefined) return { settings };
    const message = `only the addon of the fast path can ask for them, and it is not used, ${consequence}`;
    return { finding: { level: "unknown", subject, message } };
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error;
    const why = error instanceof AuthorizationError ? "this principal may not ask for them" : error.message;
    const remedy =
      error instanceof AuthorizationError
        ? `to be sure: kafka-acls.sh --add --allow-principal User:… --operation DescribeConfigs ${resource}`
        : undefined;
    return { finding: { level: "unknown", subject, message: `${why}, ${consequence}`, remedy } };
  }
}

const notListed =
  "is new, or of another kind than consumers: only the addon of the fast path can ask, and it was not used or not answered";

async function lookAtGroup(
  admin: NativeAdmin,
  config: ClientConfig,
  groupId: string,
  membership: Membership,
  settings: BrokerSettings,
): Promise<readonly Finding[]> {
  const subject = `group ${groupId}`;
  const remedy = `grant it: kafka-acls.sh --add --allow-principal User:… --operation Read --group ${groupId}`;
  const mayNot: Finding = { level: "error", subject, message: "this principal may not READ it", remedy };
  try {
    const call = { config, groupId, timeoutMs: queryTimeoutMs, signal: new AbortController().signal };
    const group = await describeGroup(admin, call);
    if (isNotListed(group)) return [{ level: "unknown", subject, message: notListed }];
    const { state, members, operations } = group;
    if (!operations.includes("READ")) return [mayNot];
    const problems = membershipFindings(group, membership, settings);
    if (problems.length > 0) return problems;
    const now =
      state === "dead"
        ? "is new"
        : `is ${state}, with ${members.length} ${members.length === 1 ? "member" : "members"}`;
    return [{ level: "ok", subject, message: `${now}; this principal may join it` }];
  } catch (error) {
    if (error instanceof AuthorizationError) return [mayNot];
    if (!(error instanceof KafkaError)) throw error;
    return [{ level: "error", subject, message: error.message }];
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
