// Turns the results into docs/benchmarks.md and its plots.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as prettier from "prettier";
import { goals } from "./goals.mjs";
import { bars, lines } from "./plot.mjs";

const here = import.meta.dirname;

/** The number that a row is about, and which way is better. */
const shows = {
  rate: { of: (result) => result.rate, unit: "records/s", lower: false },
  latency: { of: (result) => result.p50, unit: "ms, median", lower: true },
  memory: { of: (result) => result.peakMb, unit: "MB at the peak", lower: true },
  start: { of: (result) => result.firstMs, unit: "ms", lower: true },
};

export async function writeReport(report, folder) {
  const rows = report.rows.map(evaluate);
  for (const row of rows) {
    const plot = plotOf(row);
    if (plot !== undefined) writeFileSync(join(folder, "benchmarks", `${row.id}.svg`), plot);
  }
  const sections = [...new Set(rows.map(({ section }) => section))];
  const text = [
    opening,
    comparison(rows),
    theRun(report),
    ...sections.flatMap((section) => [
      `## ${section}`,
      ...rows.filter((row) => row.section === section).map(describeRow),
    ]),
    readFileSync(join(here, "bounds.md"), "utf8"),
    method(report),
    goalTable(rows),
  ].join("\n\n");
  const options = await prettier.resolveConfig(join(here, "report.mjs"));
  const results = await prettier.format(JSON.stringify(report), { ...options, parser: "json" });
  writeFileSync(join(folder, "benchmarks", "results.json"), results);
  writeFileSync(
    join(folder, "benchmarks.md"),
    await prettier.format(text, { ...options, parser: "markdown" }),
  );
}

/** Each entry with the median and range of its passes, and its ratios to others pass by pass. */
function evaluate(row) {
  const show = shows[row.value ?? row.show] ?? shows.rate;
  const entries = row.entries
    .map((entry, index) => {
      const passes = row.results[index].map((result) => (result.error === undefined ? result : undefined));
      const good = passes.filter((result) => result !== undefined);
      const failed = row.results[index].find(({ error }) => error !== undefined)?.error;
      return { ...entry, passes, good, failed, isAbsent: row.results[index].length === 0 };
    })
    .map((entry) => ({ ...entry, ...spreadOf(entry.good.map(show.of)) }));
  return { ...row, show: row.show ?? "rate", ...show, entries };
}

function spreadOf(values) {
  if (values.length === 0) return {};
  const sorted = [...values].sort((a, b) => a - b);
  return { value: median(sorted), low: sorted[0], high: sorted.at(-1) };
}

function median(values) {
  const sorted = values.filter((value) => value !== undefined).sort((a, b) => a - b);
  if (sorted.length === 0) return undefined;
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** `numerator` by `denominator`, pass by pass, of a number of theirs; or whatever else `compare` makes of the two. */
function ratio(numerator, denominator, of, compare = (mine, other) => mine / other) {
  const ratios = numerator.passes.map((result, pass) => {
    const other = denominator.passes[pass];
    return result === undefined || other === undefined ? undefined : compare(of(result), of(other));
  });
  return spreadOf(ratios.filter((value) => value !== undefined && !Number.isNaN(value)));
}

const opening = [
  "---\ntitle: Benchmarks\n---",
  "# Benchmarks",
  "Read this to see how fast typed-kafka is beside other clients, and where another client is faster. All clients sent " +
    "and read the same records on the same broker, with the same parsing, validation and durability. Your machine and " +
    "your records are others: take the proportions, not the figures.",
].join("\n\n");

function theRun({ machine, command, minutes }) {
  return [
    "## The run",
    "This page is written by the run; do not edit it.",
    table(
      ["", ""],
      [
        ["date, commit", `${machine.date}, \`${machine.commit}\``],
        ["command", `\`${command}\` (${minutes.toFixed(0)} minutes)`],
        ["machine", `${machine.cpu}, ${machine.memory}, ${machine.system}; the broker runs on it too`],
        ["broker", `Kafka ${machine.kafka}, one KRaft node on ${machine.broker}, loopback`],
        [
          "runtimes",
          [
            `Node ${machine.node}`,
            machine.node24 !== machine.node &&
              machine.node24 &&
              `Node ${machine.node24} for @platformatic/kafka and kafka-crab-js, which need it`,
            machine.python,
            machine.java,
          ]
            .filter(Boolean)
            .join("; "),
        ],
        [
          "clients",
          Object.entries(machine.versions)
            .map(([name, version]) => `${name} ${version}`)
            .join(", "),
        ],
      ],
    ),
  ].join("\n\n");
}

function goalTable(rows) {
  const find = (id, label) =>
    rows.find((row) => row.id === id)?.entries.find((entry) => entry.label === label);
  const lines = goals.map(({ text, row, ours, than, of, less, reaches, digits = 2, factor }) => {
    const mine = find(row, ours ?? "typed-kafka");
    const theirs = than && find(than.row ?? row, than.label);
    let got;
    if (than === undefined) got = mine && spreadOf(mine.good.map(of));
    else if (mine !== undefined && theirs !== undefined)
      got = ratio(mine, theirs, of, less ? (a, b) => a - b : undefined);
    if (got?.value === undefined) return [text, "not measured", ""];
    const verdict = reaches(got.value) ? "yes" : "no";
    return [
      text,
      `${got.value.toFixed(digits)} (${got.low.toFixed(digits)}–${got.high.toFixed(digits)}) ${factor ?? ""}`,
      verdict,
    ];
  });
  return `## The project's goals\n\nWhat the project wants to reach, and whether this run did.\n\n${table(["goal", "measured: median (range)", "reached"], lines)}`;
}

/** What is said of an entry, by its label, or of all of its client. */
function noteOf({ notes }, { label, peer }) {
  return notes?.[label] ?? notes?.[peer];
}

/** In which rows typed-kafka leads, and who leads elsewhere. The bare binding is the ceiling and no peer. */
function comparison(rows) {
  let leads = 0;
  let compared = 0;
  const lines = [];
  for (const row of rows.filter(({ show }) => show in shows)) {
    const mine = row.entries.find(({ peer }) => peer === "typed-kafka");
    const others = row.entries.filter(
      (entry) => !["typed-kafka", "bare"].includes(entry.peer) && entry.isWeaker !== true && entry.value,
    );
    if (mine?.value === undefined || others.length === 0) continue;
    const sign = row.lower ? 1 : -1;
    const [best] = [...others].sort((a, b) => sign * (a.value - b.value));
    const isAhead = sign * (mine.value - best.value) < 0;
    compared += 1;
    if (isAhead) leads += 1;
    lines.push([
      `${row.section}: ${row.title}`,
      `${number(mine.value)} ${row.unit}`,
      `${best.label}: ${number(best.value)}`,
      isAhead ? "typed-kafka" : (noteOf(row, best) ?? best.label),
    ]);
  }
  const summary = `typed-kafka is ahead of every other client in ${leads} of ${compared} rows. Where it is not, the table says who is, and why.`;
  return `## In short\n\n${summary}\n\n${table(["row", "typed-kafka", "best other client", "ahead, or why not"], lines)}`;
}

function describeRow(row) {
  const body =
    row.show === "series" ? seriesTable(row) : row.show === "marks" ? marksTable(row) : entryTable(row);
  const notes = row.entries
    .filter(
      ({ label, peer }, index) =>
        row.notes?.[label] !== undefined || row.entries.findIndex((entry) => entry.peer === peer) === index,
    )
    .filter((entry) => noteOf(row, entry) !== undefined)
    .map((entry) => `- ${entry.label}: ${noteOf(row, entry)}`);
  const failed = row.entries
    .filter((entry) => entry.failed !== undefined)
    .map(
      ({ label, x, failed }) => `- ${label}${x === undefined ? "" : ` (${x})`} failed: ${lastLine(failed)}`,
    );
  const remarks = [...notes, ...failed].join("\n");
  return [`### ${row.title}`, body, `![${row.title.replaceAll("`", "")}](benchmarks/${row.id}.svg)`, remarks]
    .filter((part) => part !== "")
    .join("\n\n");
}

const lastLine = (text) => /\w*Error: .*/.exec(text)?.[0] ?? text.trim().split("\n").at(-1);

function entryTable(row) {
  const mine = row.entries.find(({ peer }) => peer === "typed-kafka");
  const ceiling = row.entries.find(({ peer }) => peer === "bare");
  const columns = [
    [row.unit, ({ value }) => number(value)],
    ["range", ({ low, high, good }) => (good.length > 1 ? `${number(low)}–${number(high)}` : "one pass")],
    ["of the ceiling", (entry) => ceiling && percent(ratio(entry, ceiling, row.of))],
    ["typed-kafka to it", (entry) => mine && times(ratio(mine, entry, row.of))],
    ["p50 ms", (entry) => (row.show === "latency" ? undefined : fieldOf("p50")(entry))],
    ["p99 ms", fieldOf("p99")],
    ["p99.9 ms", fieldOf("p999")],
    ["CPU s per million", fieldOf("cpuPerMillion")],
    ["main thread's", fieldOf("mainCpuPerMillion")],
    ["the broker's", fieldOf("brokerCpuPerMillion")],
    ["cores", fieldOf("cores")],
    ["import ms", fieldOf("importMs")],
    ["peak MB", fieldOf("peakMb")],
  ];
  const present = row.entries.filter(({ value }) => value !== undefined);
  const lines = present.map((entry) => columns.map(([, of]) => of(entry) ?? ""));
  const used = columns.map((_, index) => lines.some((line) => line[index] !== ""));
  return table(
    ["client", ...columns.filter((_, index) => used[index]).map(([name]) => name)],
    present.map(({ label }, index) => [label, ...lines[index].filter((_, column) => used[column])]),
  );
}

function fieldOf(name) {
  return ({ good }) => {
    const value = median(good.map((result) => result[name]));
    return value === undefined ? undefined : number(value);
  };
}

const labelsOf = (row) => [...new Set(row.entries.map(({ label }) => label))];

function seriesTable(row) {
  const xs = [...new Set(row.entries.map(({ x }) => x))];
  const cell = (label, x) => {
    const entry = row.entries.find((each) => each.label === label && each.x === x);
    if (entry?.value === undefined) return "";
    const beside = median(
      entry.good.map((result) => result[row.value === "latency" ? "p99" : "cpuPerMillion"]),
    );
    return `${number(entry.value)} (${number(beside)})`;
  };
  const what =
    row.value === "latency" ? "Median in milliseconds (p99)" : "Records a second (CPU seconds per million)";
  return `${what}.\n\n${table(
    [row.axis, ...xs.map(String)],
    labelsOf(row).map((label) => [label, ...xs.map((x) => cell(label, x))]),
  )}`;
}

/** Records a second in each part of a long run, and how they change along it. */
function marksTable(row) {
  const count = row.job.records / row.job.every;
  const lines = row.entries
    .filter(({ good }) => good[0]?.marks !== undefined)
    .map((entry) => {
      const rates = ratesOf(entry.good[0], row.job.every);
      const parts = Array.from({ length: count }, (_, index) =>
        index < rates.length ? number(rates[index]) : "",
      );
      const slope = rates.length < 4 ? "" : `${(slopeOf(rates) * 100).toFixed(1)} %`;
      return [entry.label, ...parts, slope, fieldOf("peakMb")(entry)];
    });
  const parts = Array.from({ length: count }, (_, index) => String(index + 1));
  return `Records a second in each part of the run, and the slope of a straight line through them, as a share of the mean, over the whole run.\n\n${table([row.axis, ...parts, "slope", "peak MB"], lines)}`;
}

const ratesOf = ({ marks = [] }, every) => marks.map((at, index) => every / (at - (marks[index - 1] ?? 0)));

/** The change over the whole run, by least squares, as a share of the mean. The first part is warm-up. */
function slopeOf(all) {
  const rates = all.slice(1);
  const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
  const middle = (rates.length - 1) / 2;
  let above = 0;
  let below = 0;
  for (const [index, rate] of rates.entries()) {
    above += (index - middle) * (rate - mean);
    below += (index - middle) ** 2;
  }
  return (above / below / mean) * (rates.length - 1);
}

function plotOf(row) {
  const { title } = row;
  if (row.show === "series" || row.show === "marks") {
    const series = labelsOf(row).map((label) => {
      const entries = row.entries.filter((entry) => entry.label === label && entry.value !== undefined);
      const points =
        row.show === "series"
          ? entries.map(({ x, value }) => [x, value])
          : entries.flatMap(({ good }) =>
              ratesOf(good[0], row.job.every).map((rate, index) => [index + 1, rate]),
            );
      return { peer: row.entries.find((entry) => entry.label === label).peer, label, points };
    });
    const drawn = series.filter(({ points }) => points.length > 0);
    return drawn.length === 0 ? undefined : lines({ title, unit: row.unit, axis: row.axis, series: drawn });
  }
  const items = row.entries.filter(({ value }) => value !== undefined);
  return items.length === 0 ? undefined : bars({ title, unit: row.unit, items });
}

function method({ rows }) {
  const absent = [
    ...new Set(
      rows
        .flatMap((row) => row.entries.filter((_, index) => row.results[index].length === 0))
        .map(({ label }) => label),
    ),
  ];
  const missing =
    absent.length === 0
      ? ""
      : ` Not measured, for want of their runtime on this machine: ${absent.join(", ")}.`;
  return readFileSync(join(here, "method.md"), "utf8").trimEnd() + missing;
}

function table(headings, lines) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [
    line(headings),
    line(headings.map((_, index) => (index === 0 || headings.length === 2 ? "---" : "--:"))),
    ...lines.map(line),
  ].join("\n");
}

const percent = ({ value }) => value && `${(value * 100).toFixed(0)} %`;

const times = ({ value, low, high }) =>
  value &&
  (low === high ? `${value.toFixed(2)} ×` : `${value.toFixed(2)} × (${low.toFixed(2)}–${high.toFixed(2)})`);

function number(value) {
  if (value >= 1000) return Math.round(value).toLocaleString("en-US");
  return value >= 100 ? value.toFixed(0) : value.toFixed(2);
}
