import { readFileSync } from "node:fs";
import type { Attributes, Meter, MeterProvider } from "@opentelemetry/api";
import { describe, expect, test } from "vitest";
import { openTelemetry } from "typed-kafka/opentelemetry";
import { KafkaError } from "typed-kafka";
import type { Telemetry } from "typed-kafka/telemetry";

/** Attributes of each metric, by the name that Prometheus gives it. */
type Emitted = ReadonlyMap<string, ReadonlySet<string>>;

/** What the dashboard asks for: a metric, and the labels of it that stand in its query. */
const queries = (
  JSON.parse(readFileSync("docs/grafana-dashboard.json", "utf8")) as {
    readonly panels: readonly {
      readonly title: string;
      readonly targets?: readonly { readonly expr: string }[];
    }[];
  }
).panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })));

const underscored = (name: string): string => name.replaceAll(/[^a-zA-Z0-9]/g, "_");

describe("the Grafana dashboard", () => {
  const emitted = emittedMetrics();

  test.each(queries)("$title: $expr asks for what is emitted", ({ expr }) => {
    const metrics = expr.replaceAll(/ by \([^)]+\)/g, "");
    const names = [...metrics.matchAll(/\b(?:messaging|typed_kafka)_\w+(?=[{[)])/g)].map(([name]) => name);
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) expect([...emitted.keys()]).toContain(name);
    const labels = new Set(names.flatMap((name) => [...(emitted.get(name) ?? [])]));
    const asked = [
      ...[...expr.matchAll(/(\w+)\s*(?:=~|!=|=)\s*"/g)].map(([, label = ""]) => label),
      ...[...expr.matchAll(/by \(([^)]+)\)/g)].flatMap(([, list = ""]) => list.split(", ")),
    ].filter((label) => label !== "le");
    expect(asked.filter((label) => !labels.has(label))).toEqual([]);
  });

  test("shows every metric that there is", () => {
    const bases = new Set([...emitted.keys()].map((name) => name.replace(/_(bucket|sum|count)$/, "")));
    expect(bases.size).toBeGreaterThan(14);
    const all = queries.map(({ expr }) => expr).join("\n");
    expect([...bases].filter((name) => !all.includes(name))).toEqual([]);
  });
});

test("the picture of the dashboard in the guide shows every panel: `npm run docs:dashboard` draws it", () => {
  const picture = readFileSync("docs/grafana-dashboard.svg", "utf8");
  for (const { title } of queries) expect(picture).toContain(`>${title}</text>`);
});

/** Everything that `openTelemetry` tells a meter, after one of each activity with all of its attributes. */
function emittedMetrics(): Emitted {
  const emitted = new Map<string, Set<string>>();
  const note = (names: readonly string[], attributes: Attributes = {}): void => {
    for (const name of names) {
      const labels = emitted.get(name) ?? new Set();
      for (const label of Object.keys(attributes)) labels.add(underscored(label));
      emitted.set(name, labels);
    }
  };
  const observations: (() => void)[] = [];
  const meter = {
    createCounter: (name: string) => ({
      add: (_: number, attributes?: Attributes) => note([`${underscored(name)}_total`], attributes),
    }),
    createUpDownCounter: (name: string) => ({
      add: (_: number, attributes?: Attributes) => note([underscored(name)], attributes),
    }),
    createHistogram: (name: string) => ({
      record: (_: number, attributes?: Attributes) =>
        note(
          ["bucket", "sum", "count"].map((end) => `${underscored(name)}_seconds_${end}`),
          attributes,
        ),
    }),
    createObservableGauge: (name: string) => ({
      addCallback: (callback: (result: { observe: Observe }) => void) => {
        observations.push(() => callback({ observe: (_, given) => note([underscored(name)], given) }));
      },
    }),
  };
  const meterProvider = { getMeter: () => meter as unknown as Meter } as MeterProvider;
  tellEverything(openTelemetry({ meterProvider }));
  for (const observe of observations) observe();
  return emitted;
}

type Observe = (value: number, attributes?: Attributes) => void;

function tellEverything(telemetry: Telemetry): void {
  const client = { clientId: "test" };
  const of = { groupId: "etl-group", topic: "students" };
  const error = new KafkaError("BROKER", "refused");
  const send = telemetry.onSend?.({ topic: of.topic, records: 1 } as never, client);
  send?.end({ sent: 1, failed: 1, error });
  const record = { ...of, partition: 0, offset: 0, key: null, headers: {}, rawHeaders: [], attempt: 1 };
  const process = telemetry.onProcess?.({ groupId: of.groupId, records: [record] } as never, client);
  process?.end({ error });
  const commit = telemetry.onCommit?.(
    { groupId: of.groupId, topics: [of.topic], transactionalId: "t" },
    client,
  );
  commit?.end({ outcome: "committed", error } as never);
  telemetry.onFailure?.({ ...of, reason: "handler", action: "retry" } as never, client);
  telemetry.onRebalance?.({ groupId: of.groupId, type: "assigned", partitions: 1 } as never, client);
  telemetry.onOffsetReset?.({ ...of, reason: "gone", gone: 1 } as never, client);
  const ofStore = { groupId: of.groupId, store: "totals", partition: 0 };
  telemetry.onStoreRestore?.({ ...ofStore, total: 1 }, client)?.end({ entries: 1, outcome: "failed", error });
  telemetry.onLateRecord?.(ofStore, client);
  telemetry.onWindowsClosed?.({ ...ofStore, windows: 1 }, client);
  telemetry.onMember?.(
    {
      groupId: of.groupId,
      lag: () => [{ topic: of.topic, partition: 0, lag: 1 }],
      waiting: () => ({ code: "NO_PARTITIONS", reason: "", since: 0 }),
    },
    client,
  );
}
