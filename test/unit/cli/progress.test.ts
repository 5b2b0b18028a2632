import { Writable } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import { Progress } from "../../../src/cli/progress.js";

function written(isTTY: boolean, use: (stream: Writable) => void): string {
  let text = "";
  const stream = new Writable({
    write: (chunk: Buffer, _, done) => {
      text += chunk.toString();
      done();
    },
  });
  use(Object.assign(stream, { isTTY, columns: 80 }));
  return text;
}

const half = (stream: Writable): void => {
  const progress = new Progress(stream, 10, "sent back");
  progress.show(5);
  progress.end();
};

test("a bar on a terminal, which goes at the end", () => {
  const text = written(true, half);
  expect(stripVTControlCharacters(text)).toMatch(/█+░+ 5 of 10 sent back/);
  // The last is to clear the line.
  expect(text.endsWith("\u001B[2K")).toBe(true);
});

test("lines where there is no terminal, with nothing that moves a cursor", () => {
  expect(written(false, half)).toBe("0 of 10 sent back …\n5 of 10 sent back …\n");
});
