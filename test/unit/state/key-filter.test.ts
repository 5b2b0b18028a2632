import { expect, test } from "vitest";
import { KeyFilter } from "../../../src/state/key-filter.js";
import { hashOf, hashOfBytes } from "../../../src/state/key-hash.js";
import { spanOf } from "../../../src/record.js";

const hashes = Array.from({ length: 200_000 }, (_, index) => hashOf(`key-${index}`));

test("a filter knows every key that was added, and of nearly all others that they were not", () => {
  const filter = new KeyFilter();
  const half = hashes.length / 2;
  let unsure = 0;
  for (const hash of hashes.slice(0, half)) if (filter.add(hash)) unsure += 1;
  for (const hash of hashes.slice(0, half)) expect(filter.has(hash)).toBe(true);
  for (const hash of hashes.slice(half)) if (filter.has(hash)) unsure += 1;
  expect(unsure / hashes.length).toBeLessThan(0.05);
});

test("the hash of a key is that of its id, wherever its bytes lie", () => {
  const bytes = Buffer.from([0, 255, 128, 7, 7]);
  const hash = hashOf(bytes.toString("latin1"));
  expect(hashOfBytes(spanOf(bytes))).toBe(hash);
  expect(hashOfBytes({ bytes: Buffer.concat([Buffer.from("x"), bytes]), start: 1, end: 6 })).toBe(hash);
});
