import { expect, test } from "vitest";
import { LogPositions } from "../../../src/admin/log-positions.js";
import type { NativeAdmin, NativeOffsetOutcome } from "../../../src/driver/native-admin.js";
import { ConnectionError, KafkaError } from "../../../src/errors.js";

const partitions = [0, 1, 2].map((partition) => ({ topic: "t", partition }));
const notLeader = new ConnectionError("not leader for partition", { nativeCode: 6 });

/** What is asked for, and an admin client that answers it so, one call after the other. */
function answering(...errors: readonly (readonly (KafkaError | undefined)[])[]) {
  const asked: number[][] = [];
  const offsetsAt = (wanted: typeof partitions): Promise<NativeOffsetOutcome[]> => {
    asked.push(wanted.map(({ partition }) => partition));
    const answer = errors[asked.length - 1] ?? [];
    return Promise.resolve(
      wanted.map((of, index) => {
        const error = answer[index];
        return { ...of, offset: of.partition * 10, ...(error && { error }) };
      }),
    );
  };
  return { asked, native: { offsetsAt } as unknown as NativeAdmin };
}

test("partitions whose leader is another one by now are asked again, and only they", async () => {
  const { native, asked } = answering([undefined, notLeader, notLeader], [undefined, notLeader]);
  expect(await new LogPositions(native, 10_000).at(partitions, -1)).toEqual([0, 10, 20]);
  expect(asked).toEqual([[0, 1, 2], [1, 2], [2]]);
});

test("what stays so is told when the time is over", async () => {
  const { native, asked } = answering(
    ...new Array<readonly KafkaError[]>(50).fill([notLeader, notLeader, notLeader]),
  );
  await expect(new LogPositions(native, 250).at(partitions, -1)).rejects.toBeInstanceOf(ConnectionError);
  expect(asked.length).toBeGreaterThan(1);
});

test("a refusal is told at once", async () => {
  const refused = new KafkaError("AUTHORIZATION", "not allowed", { nativeCode: 29 });
  const { native, asked } = answering([refused, notLeader, undefined]);
  await expect(new LogPositions(native, 300).at(partitions, -1)).rejects.toBeInstanceOf(KafkaError);
  expect(asked).toEqual([[0, 1, 2]]);
});
