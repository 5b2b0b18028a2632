import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { exampleCode, mistakesInSamples, pages, samplesOf } from "../../support/docs-samples.js";

describe("the samples of the guides", () => {
  // Seconds, but where the machine is busy with other things.
  test("compile", { timeout: 300_000 }, () => {
    expect(mistakesInSamples()).toEqual([]);
  });

  test.each(pages)("that show an example are equal to it: %s", (page) => {
    for (const { code, shows, line } of samplesOf(page))
      if (shows !== undefined) expect(code, `${page}:${line}`).toBe(exampleCode(shows));
  });

  test.each(pages)("are in the page itself, for those who read it in a repository: %s", (page) => {
    expect(readFileSync(page, "utf8")).not.toContain("{@include");
  });
});
