import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { exampleCode, mistakesInSamples, pages, samplesOf } from "../../support/docs-samples.js";

describe("the samples of the guides", () => {
  it("compile", { timeout: 60_000 }, () => {
    expect(mistakesInSamples()).toEqual([]);
  });

  it.each(pages)("that show an example are equal to it: %s", (page) => {
    for (const { code, shows, line } of samplesOf(page))
      if (shows !== undefined) expect(code, `${page}:${line}`).toBe(exampleCode(shows));
  });

  it.each(pages)("are in the page itself, for those who read it in a repository: %s", (page) => {
    expect(readFileSync(page, "utf8")).not.toContain("{@include");
  });
});
