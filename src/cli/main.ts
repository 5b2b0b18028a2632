#!/usr/bin/env node
import { run } from "./run.js";

process.exitCode = await run(process.argv.slice(2), {
  out: printerTo(process.stdout),
  error: printerTo(process.stderr),
  environment: process.env,
});

/** Prints lines for as long as somebody reads them: `head` goes away early, and the work goes on unseen. */
function printerTo(stream: NodeJS.WriteStream): (line: string) => void {
  let isRead = true;
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    isRead = false;
  });
  return (line) => {
    if (isRead) stream.write(`${line}\n`);
  };
}
