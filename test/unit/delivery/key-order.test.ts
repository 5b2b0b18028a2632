import fc from "fast-check";
import { expect, test } from "vitest";
import { KeyOrder } from "../../../src/delivery/key-order.js";

test("one record of a key runs at a time and those behind it keep their order, while other keys overtake", () => {
  const keys = fc.option(fc.constantFrom("a", "b", "c", "d"), { nil: undefined });
  fc.assert(
    fc.property(
      fc.array(keys, { maxLength: 200, size: "max" }),
      fc.infiniteStream(fc.nat()),
      (records, choices) => {
        const keyOrder = new KeyOrder<number>();
        const running: number[] = [];
        const handled: number[] = [];
        let entered = 0;
        while (entered < records.length || running.length > 0) {
          const choice = choices.next().value ?? 0;
          if (entered < records.length && (choice % 2 === 0 || running.length === 0)) {
            if (keyOrder.enter(records[entered], entered)) running.push(entered);
            entered += 1;
          } else {
            const [index = 0] = running.splice(choice % running.length, 1);
            handled.push(index);
            const next = keyOrder.leave(records[index]);
            if (next !== undefined) running.push(next);
          }
          const runningKeys = running.map((index) => records[index]).filter((key) => key !== undefined);
          expect(new Set(runningKeys).size).toBe(runningKeys.length);
        }
        expect(keyOrder.waiting).toBe(0);
        expect(handled).toHaveLength(records.length);
        for (const key of ["a", "b", "c", "d"]) {
          const ofKey = handled.filter((index) => records[index] === key);
          expect(ofKey).toEqual(ofKey.toSorted((one, other) => one - other));
        }
      },
    ),
  );
});
