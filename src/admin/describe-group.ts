import type { NativeAdmin } from "../driver/native-admin.js";
import { fromNative, nativeCodes } from "../driver/native-errors.js";
import { KafkaError } from "../errors.js";
import { type GroupDescription, groupDescriptionOf } from "./descriptions.js";
import { committedOffsets, type GroupCall } from "./group-offsets.js";

/** Any partition will do to ask a coordinator whether it answers. */
const anyPartition = [{ topic: "__consumer_offsets", partition: 0 }];

/**
 * Describes a group. Its coordinator is asked for something else first: the native admin client crashes
 * the process where a broker refuses to describe a group, for want of a right or because it is just
 * taking the group over.
 *
 * @throws `AuthorizationError` where this principal may not DESCRIBE the group
 */
export async function describeGroup(admin: NativeAdmin, call: GroupCall): Promise<GroupDescription> {
  const { groupId, timeoutMs } = call;
  await answers(call);
  const [native] = await admin.describeGroups([groupId], timeoutMs);
  if (native === undefined) throw new KafkaError("BROKER", `group ${groupId}: no answer`, { groupId });
  if (native.error !== undefined) throw fromNative(`group ${groupId}`, native.error, { groupId });
  return groupDescriptionOf(native);
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
