/** Draws docs/grafana-dashboard.json from the answers of a Prometheus, as Grafana lays it out. */

export interface Panel {
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
  readonly fieldConfig?: { readonly defaults?: { readonly unit?: string } };
}

/** One line of a panel: its label, and its points as seconds since the epoch and value. */
export interface Line {
  readonly label: string;
  readonly points: readonly (readonly [number, number])[];
}

const column = 60;
const unitOfHeight = 25;
const margin = 8;
const colours = ["#3d71d9", "#e0752d", "#56a64b", "#a352cc", "#c4162a", "#0e9aa7", "#b8860b", "#64748b"];
const suffixes: Readonly<Record<string, string>> = { wps: " rec/s", rps: " rec/s", ops: "/s" };

/** From when until when, in seconds since the epoch. */
export type Range = readonly [from: number, to: number];

/** The dashboard as SVG, with the lines of each panel by its title. */
export function drawDashboard(
  panels: readonly Panel[],
  lines: ReadonlyMap<string, readonly Line[]>,
  range: Range,
): string {
  const height = Math.max(...panels.map(({ gridPos: { y, h } }) => y + h)) * unitOfHeight + margin;
  const width = 24 * column;
  const drawn = panels.map((panel) => drawPanel(panel, lines.get(panel.title) ?? [], range)).join("\n");
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="11" fill="#24292e">
<rect width="${width}" height="${height}" fill="#f4f5f5"/>
${drawn}
</svg>
`;
}

function drawPanel(
  { type, title, gridPos, fieldConfig }: Panel,
  lines: readonly Line[],
  range: Range,
): string {
  const [left, top] = [gridPos.x * column + margin / 2, gridPos.y * unitOfHeight + margin / 2];
  const [width, height] = [gridPos.w * column - margin, gridPos.h * unitOfHeight - margin];
  const heading = (size: number): string =>
    `<text x="10" y="${size + 4}" font-size="${size}" font-weight="600">${escaped(title)}</text>`;
  if (type === "row") return `<g transform="translate(${left} ${top})">${heading(14)}</g>`;
  const content =
    lines.length === 0
      ? `<text x="${width / 2}" y="${height / 2 + 10}" text-anchor="middle" fill="#6b7280">No data</text>`
      : drawLines(lines, { width, height, unit: fieldConfig?.defaults?.unit ?? "short", range });
  return `<g transform="translate(${left} ${top})"><rect width="${width}" height="${height}" rx="3" fill="#fff" stroke="#d9dbdf"/>${heading(13)}${content}</g>`;
}

interface Frame {
  readonly width: number;
  readonly height: number;
  readonly unit: string;
  readonly range: Range;
}

function drawLines(lines: readonly Line[], { width, height, unit, range: [first, last] }: Frame): string {
  const rows = Math.min(lines.length, 4);
  const area = { left: 64, right: width - 12, top: 30, bottom: height - 24 - rows * 15 };
  const largest = Math.max(...lines.flatMap(({ points }) => points.map(([, value]) => value)));
  const step = niceStep(largest / 3);
  const highest = step * Math.max(Math.ceil(largest / step), 1);
  const x = (time: number): number =>
    area.left + ((time - first) / Math.max(last - first, 1)) * (area.right - area.left);
  const y = (value: number): number => area.bottom - (value / highest) * (area.bottom - area.top);
  const grid = Array.from({ length: Math.round(highest / step) + 1 }, (_, index) => index * step).map(
    (value) =>
      `<path d="M${area.left} ${y(value).toFixed(1)}H${area.right}" stroke="#e5e7eb"/><text x="${area.left - 6}" y="${(y(value) + 4).toFixed(1)}" text-anchor="end" fill="#6b7280">${withUnit(value, unit)}</text>`,
  );
  const minutes = [0, 0.25, 0.5, 0.75, 1].map((part) => first + part * (last - first));
  const axis = minutes.map((time, index) => {
    const text = new Date(time * 1_000).toISOString().slice(11, 19);
    const anchor = index === 0 ? "start" : index === 4 ? "end" : "middle";
    return `<text x="${x(time).toFixed(1)}" y="${area.bottom + 15}" text-anchor="${anchor}" fill="#6b7280">${text}</text>`;
  });
  const drawn = lines.map(({ points, label }, index) => {
    const colour = colours[index % colours.length] ?? "#000";
    const path = points.map(
      ([t, v], at) => `${startsAnew(points, at) ? "M" : "L"}${x(t).toFixed(1)} ${y(v).toFixed(1)}`,
    );
    const perRow = Math.ceil(lines.length / rows);
    const [row, place] = [Math.floor(index / perRow), index % perRow];
    const legendX = 12 + (place * (width - 20)) / perRow;
    const legendY = area.bottom + 34 + row * 15;
    const most = Math.floor((width - 20) / perRow / 5.9) - 3;
    const shown = label.length > most ? `${label.slice(0, most - 1)}…` : label;
    return `<path d="${path.join("")}" fill="none" stroke="${colour}" stroke-width="1.5" stroke-linejoin="round"/><path d="M${legendX.toFixed(1)} ${legendY - 4}h12" stroke="${colour}" stroke-width="3"/><text x="${(legendX + 17).toFixed(1)}" y="${legendY}">${escaped(shown)}</text>`;
  });
  return [...grid, ...axis, ...drawn].join("");
}

/** Whether the line has a gap before this point, as where a series has ended and begun again. */
function startsAnew(points: Line["points"], at: number): boolean {
  const [before, here] = [points[at - 1], points[at]];
  const usual = (points[1]?.[0] ?? 0) - (points[0]?.[0] ?? 0);
  return before === undefined || here === undefined || here[0] - before[0] > 3 * Math.max(usual, 1);
}

/** 1, 2 or 5 times a power of ten, at least this. */
function niceStep(least: number): number {
  if (!(least > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(least));
  return ([1, 2, 5, 10].find((factor) => factor * power >= least) ?? 10) * power;
}

function withUnit(value: number, unit: string): string {
  const rounded = (number: number): string => String(Number(number.toPrecision(3)));
  if (unit === "s") return value < 1 ? `${rounded(value * 1_000)} ms` : `${rounded(value)} s`;
  if (unit === "percentunit") return `${rounded(value * 100)} %`;
  return `${value >= 1_000 ? `${rounded(value / 1_000)} k` : rounded(value)}${suffixes[unit] ?? ""}`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
