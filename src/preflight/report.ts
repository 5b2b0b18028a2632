/** One thing that was looked at. */
export interface Finding {
  /**
   * `ok`; `warning` for what works and is probably not meant; `error` for what will fail; `unknown` for
   * what cannot be found out.
   */
  readonly level: "ok" | "warning" | "error" | "unknown";
  /** What it is about: `brokers`, `topic students`, `group etl-group`. */
  readonly subject: string;
  /** What was found. */
  readonly message: string;
  /** What to do about it. */
  readonly remedy?: string | undefined;
}

/** What {@link Kafka.check} found. `String(report)` is for people, `JSON.stringify(report)` for programs. */
export class CheckReport {
  /** Everything looked at, in order. */
  readonly findings: readonly Finding[];

  /** @internal Use {@link Kafka.check}. */
  constructor(findings: readonly Finding[]) {
    this.findings = findings;
  }

  /** Whether nothing was found that will fail. Warnings, and what cannot be found out, do not count. */
  get ok(): boolean {
    return !this.findings.some(({ level }) => level === "error");
  }

  /** The report as text: a line for each finding, remedies below them, and a last line with the outcome. */
  format(): string {
    const width = Math.max(...this.findings.map(({ subject }) => subject.length));
    const lines = this.findings.flatMap(({ level, subject, message, remedy }) => [
      `${labels[level]}  ${subject.padEnd(width)}  ${message}`,
      ...(remedy === undefined ? [] : [`${" ".repeat(labels.ok.length + 2 + width)}  -> ${remedy}`]),
    ]);
    return [...lines, this.#outcome()].join("\n");
  }

  /** {@link CheckReport.format}. */
  toString(): string {
    return this.format();
  }

  /** What `JSON.stringify` gives: `ok` and the findings. */
  toJSON(): Pick<CheckReport, "ok" | "findings"> {
    return { ok: this.ok, findings: this.findings };
  }

  #outcome(): string {
    const count = (level: Finding["level"], one: string, many: string): string[] => {
      const number = this.findings.filter((finding) => finding.level === level).length;
      return number === 0 ? [] : [`${number} ${number === 1 ? one : many}`];
    };
    const counts = [
      ...count("error", "error", "errors"),
      ...count("warning", "warning", "warnings"),
      ...count("unknown", "thing unknown", "things unknown"),
    ].join(", ");
    return `${this.ok ? "ready" : "not ready"}${counts === "" ? "" : `: ${counts}`}`;
  }
}

const labels = { ok: "ok     ", warning: "warning", error: "ERROR  ", unknown: "unknown" } as const;
