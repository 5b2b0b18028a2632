import fc from "fast-check";
import { expect, test } from "vitest";
import { Assignment } from "../../../src/group/assignment.js";

test("records belong to an owner only if their fetch began after the partition became its own", () => {
  const assignment = new Assignment<string>();
  const before = assignment.epoch;
  assignment.begin("topic", 0, "first");
  expect(assignment.ownerAt("topic", 0, before)).toBeUndefined();
  expect(assignment.ownerAt("topic", 0, assignment.epoch)).toBe("first");
  expect(assignment.ownerAt("topic", 1, assignment.epoch)).toBeUndefined();
});

test("no order of assignments, seeks, revokes and fetches gives a record to an owner it was not fetched for", () => {
  const steps = fc.array(
    fc.record({ kind: fc.constantFrom("assign", "seek", "revoke", "fetch", "arrive"), partition: fc.nat(2) }),
    { maxLength: 100, size: "max" },
  );
  fc.assert(
    fc.property(steps, (taken) => {
      const assignment = new Assignment<number>();
      const owners = new Map<number, number>();
      const fetches: { epoch: number; owners: ReadonlyMap<number, number> }[] = [];
      taken.forEach(({ kind, partition }, step) => {
        if (kind === "assign" || (kind === "seek" && owners.has(partition))) {
          assignment.begin("topic", partition, step);
          owners.set(partition, step);
        } else if (kind === "revoke") {
          expect(assignment.end("topic", partition)).toBe(owners.get(partition));
          owners.delete(partition);
        } else if (kind === "fetch") fetches.push({ epoch: assignment.epoch, owners: new Map(owners) });
        else if (kind === "arrive") {
          const fetch = fetches.shift();
          if (fetch === undefined) return;
          const then = fetch.owners.get(partition);
          const expected = then !== undefined && then === owners.get(partition) ? then : undefined;
          expect(assignment.ownerAt("topic", partition, fetch.epoch)).toBe(expected);
        }
        expect([...assignment].toSorted()).toEqual([...owners.values()].toSorted());
      });
    }),
  );
});
