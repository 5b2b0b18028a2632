#!/usr/bin/env node
import { once } from "node:events";
import { run } from "./run.js";

const stop = new AbortController();
const unread = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const)
  // The second one ends the process, as without us.
  process.once(signal, () => stop.abort());

const { NO_COLOR = "", TERM } = process.env;

process.exitCode = await run(process.argv.slice(2), {
  out: printerTo(process.stdout, () => unread.abort()),
  error: printerTo(process.stderr),
  progress: process.stderr,
  drained: async () => {
    if (process.stdout.writableNeedDrain)
      await once(process.stdout, "drain", { signal: unread.signal }).catch(() => undefined);
  },
  environment: process.env,
  isColoured: process.stdout.isTTY && NO_COLOR === "" && TERM !== "dumb",
  signal: stop.signal,
  unread: unread.signal,
});

/** Prints lines for as long as somebody reads them: `head` goes away early, and the work goes on unseen. */
function printerTo(stream: NodeJS.WriteStream, onUnread = () => {}): (line: string) => void {
  let isRead = true;
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    isRead = false;
    onUnread();
  });
  return (line) => {
    if (isRead) stream.write(`${line}\n`);
  };
}
