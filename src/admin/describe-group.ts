import { assignedTopics } from "../driver/consumers-assignment.js";
import type { NativeAdmin } from "../driver/native-admin.js";
import { fromNative, nativeCodes } from "../driver/native-errors.js";
import { KafkaError } from "../errors.js";
import { type GroupDescription, groupDescriptionOf } from "./descriptions.js";
import { committedOffsets, type GroupCall } from "./group-offsets.js";

/** Any partition will do to ask a coordinator whether it answers. */
const anyPartition = [{ topic: "__consumer_offsets", partition: 0 }];
/** A broker that is down takes all of this time. */
const maxKindMs = 5_000;

/**
 * Describes a group of consumers. Two things are asked first, because the native admin client ends the process where a
 * broker refuses to describe a group (for want of a right, or because it is just taking the group over) and where
 * the group is of another kind: whether its coordinator answers, and what the group is for.
 *
 * @throws `AuthorizationError` where this principal may not DESCRIBE the group
 * @throws `KafkaError` with code `BROKER` for a group of another kind
 */
export async function describeGroup(admin: NativeAdmin, call: GroupCall): Promise<GroupDescription> {
  const { groupId, timeoutMs } = call;
  await answers(call);
  const found = await checkKind(admin, call);
  if (found === "not listed") return notListed(groupId);
  const [native] = await admin.describeGroups([groupId], timeoutMs);
  if (native === undefined) throw new KafkaError("BROKER", `group ${groupId}: no answer`, { groupId });
  if (native.error !== undefined) throw fromNative(`group ${groupId}`, native.error, { groupId });
  const description = groupDescriptionOf(native);
  // Of a newer kind, which brokers list and do not describe.
  if (found === "exists" && description.state === "dead") throw ofAnotherKind(groupId);
  return description;
}

/** Whether there is such a group, as far as that is known. Throws where the native client must not describe it. */
async function checkKind(
  admin: NativeAdmin,
  { groupId, timeoutMs }: GroupCall,
): Promise<"exists" | "new" | "not listed"> {
  const kind = await admin.kindOfGroup(groupId, Math.min(timeoutMs, maxKindMs));
  if (kind === undefined) return "new";
  if (kind === "unknown") {
    const groups = await admin.listGroups(timeoutMs);
    return groups.some((group) => group.groupId === groupId) ? "exists" : "not listed";
  }
  const { protocolType, assignments } = kind;
  if (protocolType !== "" && protocolType !== "consumer") throw ofAnotherKind(groupId, protocolType);
  if (assignments.some((bytes) => assignedTopics(bytes) === undefined))
    throw new KafkaError("BROKER", `group ${groupId}: its members share out by an assignor of their own`, {
      groupId,
    });
  return "exists";
}

function ofAnotherKind(groupId: string, protocolType?: string): KafkaError {
  const type = protocolType === undefined ? "" : ` but of the protocol type "${protocolType}"`;
  return new KafkaError("BROKER", `group ${groupId} is not one of consumers${type}`, { groupId });
}

/** Lists have groups of consumers only. What this principal may do with it cannot be asked then. */
function notListed(groupId: string): GroupDescription {
  return {
    groupId,
    state: "unknown",
    protocol: "unknown",
    assignor: "",
    coordinator: undefined,
    members: [],
    operations: [],
  };
}

/** Whether all that is known of a group is that no list has it: it does not exist, or is of another kind. */
export function isNotListed({ state, coordinator }: GroupDescription): boolean {
  return state === "unknown" && coordinator === undefined;
}

async function answers(call: GroupCall): Promise<void> {
  try {
    await committedOffsets(call, anyPartition);
  } catch (error) {
    // The coordinator answered: it is the topic that this principal may not see, or that is not there yet.
    if (
      error instanceof KafkaError &&
      (error.nativeCode === nativeCodes.topicAuthorization || error.code === "UNKNOWN_TOPIC")
    )
      return;
    throw error;
  }
}
