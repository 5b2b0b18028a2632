import { checkRequiredText, describe } from "../check.js";
import { nativeCodes } from "../driver/native-errors.js";
import { ConfigError, KafkaError } from "../errors.js";
import type { GroupDescription } from "./descriptions.js";
import { liveGroupCodes } from "./group-offsets.js";

/** Whether a broker refused something because the group has members. */
export function isLiveGroup(error: unknown): boolean {
  return error instanceof KafkaError && liveGroupCodes.includes(error.nativeCode);
}

/** The error for a group that must have no members before something is done. */
export function liveGroup(
  groupId: string,
  before: string,
  cause?: unknown,
  group?: GroupDescription,
): KafkaError {
  const state = group === undefined ? "" : ` (${group.state}, ${group.members.length} members)`;
  return new KafkaError("BROKER", `group ${groupId} is live${state}: stop its members before ${before}`, {
    groupId,
    nativeCode: nativeCodes.nonEmptyGroup,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** One id or several, checked. */
export function idsOf(groupIds: string | readonly string[]): readonly string[] {
  const given: unknown = groupIds;
  if (typeof given !== "string" && !Array.isArray(given))
    throw new ConfigError("groupIds", `expected a group's id, or an array of them, got ${describe(given)}`);
  const ids = typeof groupIds === "string" ? [groupIds] : [...groupIds];
  for (const id of ids) checkRequiredText("groupIds", id);
  return ids;
}
