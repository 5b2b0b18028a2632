import progress from "cli-progress";

/** How often a line is written where no bar can be drawn, in milliseconds. */
const lineEveryMs = 1_000;

/** Shows how much of a total is done: by a bar on a terminal, which goes when it is ended, else by a line a second. */
export class Progress {
  readonly #bar: progress.SingleBar;

  /** `done`: the words behind the numbers. */
  constructor(stream: NodeJS.WritableStream & { readonly isTTY?: boolean }, total: number, done: string) {
    const numbers = `{value} of {total} ${done}`;
    this.#bar = new progress.SingleBar({
      stream,
      format: stream.isTTY === true ? `{bar} ${numbers}, {eta_formatted} to go` : `${numbers} …`,
      barCompleteChar: "█",
      barIncompleteChar: "░",
      hideCursor: true,
      clearOnComplete: true,
      noTTYOutput: true,
      notTTYSchedule: lineEveryMs,
      // Signals are the command's own.
      gracefulExit: false,
    });
    this.#bar.start(total, 0);
  }

  show(done: number): void {
    this.#bar.update(done);
  }

  end(): void {
    this.#bar.stop();
  }
}
