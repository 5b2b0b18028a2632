// Two kinds of plot as SVG: bars for a row, lines for a series.

const width = 760;
const colours = {
  "typed-kafka": "#0b6e4f",
  bare: "#7a7a7a",
  "confluent-kafkajs-api": "#b0892e",
  drarzter: "#8e5bb5",
  kafkajs: "#2f6fb3",
  platformatic: "#c2553a",
  "kafka-crab": "#3a9da8",
  python: "#b04a7f",
};

/** One bar for each of `{ peer, label, value, low, high }`, with a whisker from `low` to `high`. */
export function bars({ title, unit, items }) {
  const left = 230;
  const right = 100;
  const step = 26;
  const height = 56 + items.length * step;
  const longest = Math.max(...items.map(({ high }) => high));
  const x = (value) => left + (value / longest) * (width - left - right);
  const drawn = items.map(({ peer, label, value, low, high }, index) => {
    const y = 44 + index * step;
    return [
      text(left - 8, y + 13, label, `text-anchor="end"`),
      `<rect x="${left}" y="${y}" width="${round(x(value) - left)}" height="18" fill="${colours[peer]}"/>`,
      `<path d="M${round(x(low))} ${y + 9}H${round(x(high))}" stroke="#222" stroke-width="1.5"/>`,
      text(round(x(high)) + 6, y + 13, number(value)),
    ].join("");
  });
  return svg(height, title, [text(left, 34, unit, `fill="#666"`), ...drawn]);
}

/** One line for each of `{ peer, label, points: [[x, y], …] }`. The x axis is by rank: its values are far apart. */
export function lines({ title, unit, axis, series }) {
  const height = 340;
  const [left, right, top, bottom] = [80, 210, 48, 44];
  const xs = [...new Set(series.flatMap(({ points }) => points.map(([x]) => x)))].sort((a, b) => a - b);
  const highest = Math.max(...series.flatMap(({ points }) => points.map(([, y]) => y)));
  const gap = (width - left - right) / Math.max(1, xs.length - 1);
  const px = (x) => round(left + xs.indexOf(x) * gap);
  const py = (y) => round(height - bottom - (y / highest) * (height - top - bottom));
  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const y = py(highest * share);
    return `<path d="M${left} ${y}H${width - right}" stroke="#ddd"/>${text(left - 8, y + 4, number(highest * share), `text-anchor="end"`)}`;
  });
  const labels = xs.map((x) => text(px(x), height - bottom + 18, String(x), `text-anchor="middle"`));
  const places = spread(series.map(({ points }) => py(points.at(-1)[1])));
  const drawn = series.map(({ peer, label, points }, index) => {
    const colour = colours[peer];
    const dash = series.findIndex((other) => other.peer === peer) < index ? ` stroke-dasharray="6 4"` : "";
    const [lastX] = points.at(-1);
    return [
      `<path d="M${points.map(([x, y]) => `${px(x)} ${py(y)}`).join("L")}" fill="none" stroke="${colour}" stroke-width="2"${dash}/>`,
      ...points.map(([x, y]) => `<circle cx="${px(x)}" cy="${py(y)}" r="3" fill="${colour}"/>`),
      text(px(lastX) + 10, places[index] + 4, label, `fill="${colour}"`),
    ].join("");
  });
  return svg(height, title, [
    text(left, 36, unit, `fill="#666"`),
    ...grid,
    ...labels,
    text((left + width - right) / 2, height - 8, axis, `text-anchor="middle" fill="#666"`),
    ...drawn,
  ]);
}

/** Labels at least 14 apart, in the order of their lines. */
function spread(places) {
  const order = places.map((y, index) => ({ y, index })).sort((a, b) => a.y - b.y);
  const result = [];
  let free = 0;
  for (const { y, index } of order) {
    result[index] = Math.max(y, free);
    free = result[index] + 14;
  }
  return result;
}

function svg(height, title, parts) {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    text(12, 18, title, `font-size="14" font-weight="600"`),
    ...parts,
    "</svg>",
    "",
  ].join("\n");
}

const text = (x, y, content, attributes = "") =>
  `<text x="${x}" y="${y}" ${attributes}>${content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll("`", "")}</text>`;

const round = (value) => Math.round(value * 10) / 10;

function number(value) {
  if (value >= 1000) return Math.round(value).toLocaleString("en-US");
  return value >= 10 ? value.toFixed(0) : value.toFixed(2);
}
