import { expect, test } from "vitest";
import type { NativeAdmin } from "../../../src/driver/native-admin.js";
import { checkOthers } from "../../../src/state/assigning-topic.js";

const own = { name: "payments", former: new Set<string>(), isNew: true };
const sizes = { sizeOf: () => Promise.resolve({ partitions: 3, replicationFactor: 1 }) };

/** Looks at the other members of a group, three times at most. */
function check(admin: Partial<NativeAdmin>): Promise<boolean> {
  let rounds = 0;
  const isOver = (): boolean => (rounds += 1) > 3;
  return checkOthers(admin as NativeAdmin, "g", own, sizes, isOver, new AbortController().signal);
}

test("a group of which its coordinator says nothing is not described, which might end the process", async () => {
  const asked: string[] = [];
  const isTold = await check({
    asksGroups: true,
    kindOfGroup: (groupId) => {
      asked.push(groupId);
      return Promise.resolve("unknown");
    },
    describeGroups: () => Promise.reject(new Error("the group was described")),
  });
  expect(isTold).toBe(false);
  expect(asked).toEqual(["g", "g", "g"]);
});
