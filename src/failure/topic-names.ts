import { ConfigError } from "../errors.js";
import { topicNameFlaw } from "../topic-name.js";

/**
 * The topic for the dead letters of a group: `<topic>.<groupId>.dead-letter`.
 *
 * @throws `ConfigError` on `deadLetter` where that is no topic's name
 */
export function deadLetterTopicOf(topic: string, groupId: string): string {
  return checked("deadLetter", `${topic}.${groupId}.dead-letter`, "give deadLetter a topic of yours");
}

/**
 * The topic of a group's retries after the `stage`-th delay, counted from 1: `<topic>.<groupId>.retry-<stage>`.
 *
 * @throws `ConfigError` on `retryTopics` where that is no topic's name
 */
export function retryTopicOf(topic: string, groupId: string, stage: number): string {
  return checked("retryTopics", `${topic}.${groupId}.retry-${stage}`, "give the group another id");
}

/** How the transactional ids begin under which the members of a group write to its retry topics. */
export function retryTransactionalIdPrefix(groupId: string): string {
  return `${groupId}.retry.`;
}

/** Whether a topic has the form of a name made here from `topic`, for whatever group. */
export function mayBeMadeFrom(name: string, topic: string): boolean {
  return name.startsWith(`${topic}.`) && /\.(dead-letter|retry-[1-9][0-9]*)$/.test(name);
}

function checked(field: string, name: string, remedy: string): string {
  const flaw = topicNameFlaw(name);
  if (flaw === undefined) return name;
  throw new ConfigError(field, `${JSON.stringify(name)} cannot be a topic's name: ${flaw}; ${remedy}`);
}
