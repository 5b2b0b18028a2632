/**
 * A member of a group that is no consumer's, by the requests that Kafka Connect and others send: JoinGroup, SyncGroup
 * and Heartbeat, over a connection of its own.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export interface JoinedGroup {
  readonly groupId: string;
  /** What the group is for: `connect` for workers of Kafka Connect, `sr` for schema registries, `consumer`. */
  readonly protocolType: string;
  readonly protocol: string;
  /** What the member is given to do, as bytes that only its own kind understands. */
  readonly assignment: Buffer;
}

const keys = { findCoordinator: 10, join: 11, heartbeat: 12, sync: 14 } as const;
/** Of brokers that are about to become the coordinator: loading, not available, not the coordinator. */
const passing = [14, 15, 16];
const sessionTimeoutMs = 30_000;
/** A consumer's metadata: version 0, no topics, no data of its own. Brokers look into that of the type `consumer`. */
const subscription = Buffer.from("000000000000ffffffff", "hex");

/** The one member of such a group, until it is closed. `brokers` is one that coordinates all groups. */
export async function joinGroup(brokers: string, group: JoinedGroup): Promise<{ close: () => void }> {
  const [host = "", port = ""] = brokers.split(":");
  const socket = connect({ host, port: Number(port) });
  await once(socket, "connect");
  const { groupId, protocolType, protocol, assignment } = group;
  // It makes the topic of the groups, where there is none yet.
  const find = () => request(socket, keys.findCoordinator, 0, [text(groupId)]);
  await accepted("FindCoordinator", find, 0);
  const join = () =>
    request(socket, keys.join, 2, [
      text(groupId),
      int32(sessionTimeoutMs),
      int32(sessionTimeoutMs),
      text(""),
      text(protocolType),
      int32(1),
      text(protocol),
      bytes(subscription),
    ]);
  // Throttle time, error, generation, protocol, leader, member.
  const joined = await accepted("JoinGroup", join, 4);
  const generation = joined.subarray(6, 10);
  const leaderAt = 12 + joined.readInt16BE(10);
  const member = joined.subarray(leaderAt, leaderAt + 2 + joined.readInt16BE(leaderAt));
  const me = [text(groupId), generation, member];
  const sync = () => request(socket, keys.sync, 1, [...me, int32(1), member, bytes(assignment)]);
  await accepted("SyncGroup", sync, 4);
  const heartbeats = setInterval(() => void request(socket, keys.heartbeat, 1, me).catch(() => {}), 3_000);
  return {
    close: () => {
      clearInterval(heartbeats);
      socket.destroy();
    },
  };
}

/** The answer, once it has no error at this place; asked for again while that passes. */
async function accepted(what: string, ask: () => Promise<Buffer>, errorAt: number): Promise<Buffer> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const answer = await ask();
    const code = answer.readInt16BE(errorAt);
    if (code === 0) return answer;
    if (!passing.includes(code) || Date.now() > deadline) throw new Error(`${what}: error ${code}`);
    await sleep(50);
  }
}

async function request(
  socket: Socket,
  key: number,
  version: number,
  parts: readonly Buffer[],
): Promise<Buffer> {
  const body = Buffer.concat([int16(key), int16(version), int32(key), text("joined-group"), ...parts]);
  socket.write(Buffer.concat([int32(body.length), body]));
  let answer = Buffer.alloc(0);
  while (answer.length < 4 || answer.length < 4 + answer.readInt32BE(0)) {
    const [piece] = (await once(socket, "data", { signal: AbortSignal.timeout(30_000) })) as [Buffer];
    answer = Buffer.concat([answer, piece]);
  }
  // Behind its length and the number of the request.
  return answer.subarray(8);
}

function int16(value: number): Buffer {
  const buffer = Buffer.alloc(2);
  buffer.writeInt16BE(value);
  return buffer;
}

function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32BE(value);
  return buffer;
}

function text(value: string): Buffer {
  return Buffer.concat([int16(Buffer.byteLength(value)), Buffer.from(value)]);
}

function bytes(value: Buffer): Buffer {
  return Buffer.concat([int32(value.length), value]);
}
