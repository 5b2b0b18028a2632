import { afterAll, expect, inject, test } from "vitest";
import { Kafka } from "typed-kafka";
import { joinGroup } from "../../support/joined-group.js";
import { silent } from "../../support/silent.js";
import { uniqueName } from "../../support/topics.js";

const kafka = new Kafka({ brokers: inject("brokers"), logger: silent });
const admin = kafka.admin();
afterAll(() => kafka.close());

const isOff = process.env["TYPED_KAFKA_NATIVE"] === "off";

const unknown = { state: "unknown", coordinator: undefined, members: [], operations: [] };

test("a group that does not exist is dead, or unknown where only the addon could tell", async () => {
  const groupId = uniqueName();
  const [group] = await admin.describeGroups(groupId);
  expect(group).toMatchObject({ groupId, ...(isOff ? unknown : { state: "dead" }) });
});

test("a group of Kafka Connect is refused by name, or unknown where only the addon could tell", async () => {
  const groupId = uniqueName();
  const member = await joinGroup(inject("brokers"), {
    groupId,
    protocolType: "connect",
    protocol: "sessioned",
    assignment: Buffer.from("what a worker of Kafka Connect is to do"),
  });
  const described = admin.describeGroups(groupId);
  if (isOff) expect(await described).toMatchObject([{ groupId, ...unknown }]);
  else await expect(described).rejects.toMatchObject({ code: "BROKER", groupId });
  member.close();
});
