/**
 * Draws docs/grafana-dashboard.svg anew: `npm run docs:dashboard`, about four minutes. A service of its own runs on a
 * broker of its own; a Prometheus (Debian's package) reads its metrics and answers the queries of the dashboard.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { openTelemetry } from "typed-kafka/opentelemetry";
import { startBroker } from "./broker.js";
import { until } from "./consuming.js";
import { drawDashboard, type Line, type Panel, type Range } from "./dashboard/draw.js";
import { runService } from "./dashboard/service.js";
import { freePort } from "./ports.js";
import { silent } from "./silent.js";
import { requireCommands } from "./system-packages.js";

const durationMs = 200_000;
const picture = "docs/grafana-dashboard.svg";

await requireCommands("prometheus");
const folder = mkdtempSync(join(tmpdir(), "typed-kafka-dashboard-"));
const metricsPort = await freePort();
const prometheusPort = await freePort();
const url = `http://127.0.0.1:${prometheusPort}`;
// The exporter leaves the unit out of a name, which a collector and Prometheus's own receiver put in.
const relabel = `[{ source_labels: [__name__], regex: "(.*_duration)_(bucket|sum|count)", target_label: __name__, replacement: "\${1}_seconds_\${2}" }]`;
writeFileSync(
  join(folder, "prometheus.yml"),
  `scrape_configs: [{ job_name: service, scrape_interval: 2s, static_configs: [{ targets: ["127.0.0.1:${metricsPort}"] }], metric_relabel_configs: ${relabel} }]`,
);
const reader = new PrometheusExporter({ host: "127.0.0.1", port: metricsPort });
const telemetry = openTelemetry({ meterProvider: new MeterProvider({ readers: [reader] }) });
const { brokers } = await startBroker(await freePort());
const prometheus = spawn(
  "prometheus",
  [
    `--config.file=${folder}/prometheus.yml`,
    `--storage.tsdb.path=${folder}/data`,
    `--web.listen-address=127.0.0.1:${prometheusPort}`,
  ],
  { stdio: "ignore" },
);
try {
  await until("Prometheus answers", async () =>
    fetch(`${url}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  const begin = Date.now() / 1_000;
  await runService({ brokers, clientId: "dashboard", telemetry, logger: silent }, durationMs);
  const range = [begin, Date.now() / 1_000] as const;
  const { panels } = JSON.parse(readFileSync("docs/grafana-dashboard.json", "utf8")) as { panels: Panel[] };
  const lines = new Map<string, Line[]>();
  for (const { title, targets = [] } of panels) {
    const answers = await Promise.all(targets.map((target) => ask(target, range)));
    lines.set(title, answers.flat());
  }
  writeFileSync(picture, drawDashboard(panels, lines, range));
  const empty = panels.filter(({ title, type }) => type !== "row" && lines.get(title)?.length === 0);
  console.log(`wrote ${picture}; without data: ${empty.map(({ title }) => title).join(", ") || "none"}`);
} finally {
  prometheus.kill();
  await once(prometheus, "exit");
  rmSync(folder, { recursive: true });
  await reader.shutdown();
}
process.exit();

/** The lines of a query of the dashboard, its variables filled in as Grafana does. */
async function ask(
  { expr, legendFormat }: { expr: string; legendFormat: string },
  [start, end]: Range,
): Promise<Line[]> {
  const query = expr.replaceAll(/\$(group|topic)\b/g, ".*").replaceAll("$__rate_interval", "16s");
  const parameters = { query, start: String(start), end: String(end), step: "4" };
  const response = await fetch(`${url}/api/v1/query_range?${new URLSearchParams(parameters).toString()}`);
  const answer = (await response.json()) as Answer;
  if (answer.status !== "success") throw new Error(`${expr}: ${answer.error}`);
  return answer.data.result
    .map(({ metric, values }) => ({
      label: legendFormat.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => metric[name] ?? ""),
      points: values
        .map(([time, value]) => [time, Number(value)] as const)
        .filter(([, value]) => Number.isFinite(value)),
    }))
    .filter(({ points }) => points.length > 0);
}

interface Answer {
  readonly status: string;
  readonly error: string;
  readonly data: {
    readonly result: readonly {
      readonly metric: Readonly<Record<string, string>>;
      readonly values: readonly (readonly [number, string])[];
    }[];
  };
}
