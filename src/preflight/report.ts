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
  /** What to do about it, where that is neither `option` nor `call`. */
  readonly remedy?: string | undefined;
  /** An option of the client that would do, and its value: `assignor` and `range`. */
  readonly option?:
    | {
        /** What the option is called. */
        readonly name: string;
        /** What to set it to. */
        readonly value: string;
      }
    | undefined;
  /** A call of the library that would do: `kafka.admin().ensureTopics(…)`. */
  readonly call?: string | undefined;
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
    return formatFindings(this, ({ option, call }) => [
      option && `set ${option.name}: "${option.value}"`,
      call,
    ]);
  }

  /** {@link CheckReport.format}. */
  toString(): string {
    return this.format();
  }

  /** What `JSON.stringify` gives: `ok` and the findings. */
  toJSON(): Pick<CheckReport, "ok" | "findings"> {
    return { ok: this.ok, findings: this.findings };
  }
}

type Ways = (finding: Finding) => readonly (string | undefined)[];

/** A report as text. `ways` says how whoever reads it gives an option or makes a call. */
export function formatFindings({ findings, ok }: CheckReport, ways: Ways): string {
  const width = Math.max(...findings.map(({ subject }) => subject.length));
  const lines = findings.flatMap((finding) => {
    const { level, subject, message } = finding;
    const remedy = remedyOf(finding, ways);
    return [
      `${labels[level]}  ${subject.padEnd(width)}  ${message}`,
      ...(remedy === undefined ? [] : [`${" ".repeat(labels.ok.length + 2 + width)}  -> ${remedy}`]),
    ];
  });
  return [...lines, outcomeOf(findings, ok)].join("\n");
}

/** Everything that can be done about a finding, in one sentence; `undefined` where nothing is known. */
export function remedyOf(finding: Finding, ways: Ways): string | undefined {
  const all = [...ways(finding), finding.remedy].filter((way) => way !== undefined);
  return all.length === 0 ? undefined : all.join("; or ");
}

function outcomeOf(findings: readonly Finding[], ok: boolean): string {
  const count = (level: Finding["level"], one: string, many: string): string[] => {
    const number = findings.filter((finding) => finding.level === level).length;
    return number === 0 ? [] : [`${number} ${number === 1 ? one : many}`];
  };
  const counts = [
    ...count("error", "error", "errors"),
    ...count("warning", "warning", "warnings"),
    ...count("unknown", "thing unknown", "things unknown"),
  ].join(", ");
  return `${ok ? "ready" : "not ready"}${counts === "" ? "" : `: ${counts}`}`;
}

const labels = { ok: "ok     ", warning: "warning", error: "ERROR  ", unknown: "unknown" } as const;
