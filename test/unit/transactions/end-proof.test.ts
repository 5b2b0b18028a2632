import { expect, test } from "vitest";
import { EndProof } from "../../../src/transactions/end-proof.js";
import { settlesWithin } from "../../../src/waiting.js";

const [a, b] = [
  { topic: "t", partition: 0 },
  { topic: "u", partition: 3 },
];

test("is settled when every partition has told an offset, and gives them in the order asked for", async () => {
  const proof = new EndProof([a, b, a]);
  expect(proof.missing).toEqual([a, b]);
  proof.written("u", 3, 7);
  expect([proof.missing, proof.ends()]).toEqual([[a], undefined]);
  expect(await settlesWithin(proof.settled, 0)).toBe(false);
  proof.written("t", 0, 0);
  await proof.settled;
  expect(proof.ends()).toEqual([0, 7, 0]);
});

test("a record that was written without a known offset proves nothing", async () => {
  const proof = new EndProof([a]);
  proof.written("t", 0, -1);
  expect(await settlesWithin(proof.settled, 0)).toBe(false);
  proof.fail();
  await proof.settled;
  expect(proof.ends()).toBeUndefined();
});
