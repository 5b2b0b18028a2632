import { expect, test } from "vitest";
import { formatOf, lineOf } from "../../../src/cli/record-lines.js";

const record = {
  topic: "students",
  partition: 1,
  offset: 17,
  timestamp: 1_767_225_600_000,
  key: Buffer.from("a"),
  value: Buffer.from("Samwel\u001B[31m\nred"),
  headers: {},
  rawHeaders: [["trace", Buffer.from("x")]] as const,
};
const plain = { isColoured: false };

test("a record is one line, and cannot colour the terminal", async () => {
  const line = await lineOf(record, undefined);
  expect(formatOf(plain)(line)).toBe("1/17  2026-01-01T00:00:00.000Z  a  Samwel [31m red");
  expect(formatOf({ isColoured: true })(line)).toMatch(/^\u001B\[2m1\/17 {2}\S+\u001B\[22m {2}a/);
});

test("as JSON it loses nothing", async () => {
  const odd = { ...record, key: null, value: Buffer.from([0xff]) };
  expect(JSON.parse(formatOf({ ...plain, json: true })(await lineOf(odd, undefined)))).toEqual({
    topic: "students",
    partition: 1,
    offset: 17,
    timestamp: 1_767_225_600_000,
    headers: [["trace", "x"]],
    key: null,
    value: { base64: "/w==" },
  });
});

test("as JSON it has escapes for what a terminal obeys, and for what shows as other text than it is", async () => {
  const text = "\u007f\u009b31m\u2028\u202ered\u{e0041}";
  const odd = { ...record, key: Buffer.from(text), rawHeaders: [[text, Buffer.from(text)]] as const };
  const line = formatOf({ ...plain, json: true })(await lineOf(odd, undefined));
  expect(line).toMatch(/^[ -~]+$/);
  expect(JSON.parse(line)).toMatchObject({ key: text, headers: [[text, text]] });
});

test("kcat's formats, and its key delimiter", async () => {
  const line = await lineOf({ ...record, value: Buffer.from("100 %k") }, undefined);
  expect(formatOf({ ...plain, "key-delimiter": ":" })(line)).toBe("a:100 %k");
  expect(formatOf({ ...plain, format: "%t[%p]@%o\\t%k=%s %S %h %% %x\\n" })(line)).toBe(
    "students[1]@17\ta=100 %k 6 trace=x % %x",
  );
  const tombstone = await lineOf({ ...record, key: null, value: null }, undefined);
  expect(formatOf({ ...plain, format: "%k|%s|%K|%S" })(tombstone)).toBe("||-1|-1");
});
