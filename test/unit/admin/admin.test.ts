import { expect, test, vi } from "vitest";
import { Admin } from "../../../src/admin/admin.js";
import { loadBinding } from "../../../src/driver/binding.js";
import { ConfigError } from "../../../src/errors.js";
import { resolveKafkaOptions } from "../../../src/kafka-options.js";

vi.mock("../../../src/driver/binding.js", () => ({
  loadBinding: vi.fn(() => {
    throw new Error("the native client was asked for");
  }),
}));

test.each<[string, string, (admin: Admin, absent: never) => Promise<unknown>]>([
  ["deleteRecords", "before", (admin, before) => admin.deleteRecords("orders", before)],
  ["resetOffsets", "to", (admin, to) => admin.resetOffsets("g", "orders", to)],
])("%s takes an absent offset for a mistake, and asks no broker", async (_, field, call) => {
  const admin = new Admin(resolveKafkaOptions({ brokers: "localhost:9092" }), {}, () => undefined);
  const refusal = call(admin, undefined as never);
  await expect(refusal).rejects.toThrow(ConfigError);
  await expect(refusal).rejects.toThrow(`${field}: is required`);
  expect(loadBinding).not.toHaveBeenCalled();
});
