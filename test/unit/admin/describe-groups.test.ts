import { expect, test, vi } from "vitest";
import { Admin } from "../../../src/admin/admin.js";
import { describeGroup } from "../../../src/admin/describe-group.js";
import { AuthorizationError } from "../../../src/errors.js";
import { resolveKafkaOptions } from "../../../src/kafka-options.js";

vi.mock("../../../src/driver/native-admin.js", () => ({
  NativeAdmin: class {
    connect = async () => Promise.resolve();
  },
}));
vi.mock("../../../src/admin/describe-group.js", () => ({ describeGroup: vi.fn() }));

const ids = Array.from({ length: 100 }, (_, index) => `group-${index}`);

function adminWhere(answer: (groupId: string) => unknown) {
  let now = 0;
  let most = 0;
  vi.mocked(describeGroup)
    .mockReset()
    .mockImplementation(async (_, { groupId }) => {
      now += 1;
      most = Math.max(most, now);
      // The later it was asked, the sooner it answers.
      for (let turns = 100 - ids.indexOf(groupId); turns > 0; turns -= 1) await Promise.resolve();
      now -= 1;
      return answer(groupId) as never;
    });
  const admin = new Admin(resolveKafkaOptions({ brokers: "localhost:9092" }), {}, () => undefined);
  return { admin, mostAtATime: () => most };
}

test("many groups are described a few at a time, in the order asked for", async () => {
  const { admin, mostAtATime } = adminWhere((groupId) => ({ groupId }));
  expect(await admin.describeGroups(ids)).toEqual(ids.map((groupId) => ({ groupId })));
  expect(mostAtATime()).toBe(4);
});

test("all groups are asked for where some fail, and one error names those", async () => {
  const { admin } = adminWhere((groupId) => {
    if (groupId.endsWith("7")) throw new AuthorizationError(`group ${groupId}: refused`);
    return {};
  });
  const failure = admin.describeGroups(ids);
  await expect(failure).rejects.toThrow(AuthorizationError);
  await expect(failure).rejects.toThrow(
    /^10 of 100 could not be described: group group-7: refused; .*group-97/,
  );
  expect(describeGroup).toHaveBeenCalledTimes(100);
});
