/** A process that writes batches to a piece on disk until it is killed. Says which have landed. */
import { StateDirectory } from "../../src/state/state-directory.js";
import type { Write } from "../../src/state/write.js";
import { silent } from "./silent.js";

const directory = await StateDirectory.open(process.argv[2] ?? "", "group", silent);
await directory.belongsTo(new Map([["store", "id-1"]]));
const piece = directory.piece("store", 0);
const write = (id: string, value: string | null): Write => ({
  id,
  key: Buffer.from(id),
  value: value === null ? null : Buffer.from(value),
  timestamp: 0,
});
process.on("disconnect", () => process.exit(9));

for (let batch = piece.position + 1; ; batch += 1) {
  const writes = Array.from({ length: 40 }, (_, index) => write(`all-${index}`, String(batch)));
  // One more at each step, and after ten steps none.
  if (batch % 10 > 0) writes.push(write(`more-${batch % 10}`, "x".repeat(batch % 3_000)));
  else for (let index = 1; index < 10; index += 1) writes.push(write(`more-${index}`, null));
  const applying = piece.apply(writes, { position: batch, currentAt: 1 });
  // Now and then several are on their way.
  if (batch % 4 === 0) {
    await applying;
    process.send?.(batch);
  }
}
