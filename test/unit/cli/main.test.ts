import { expect, test } from "vitest";
import { runUnread } from "../../support/unread-command.js";

test("nobody reading the output is no error", async () => {
  expect(await runUnread(["stdout"], ["check", "--help"])).toEqual({ code: 0, error: "" });
});

test("nobody reading the errors changes no exit code", async () => {
  expect(await runUnread(["stdout", "stderr"], ["chek"])).toMatchObject({ code: 2 });
});
