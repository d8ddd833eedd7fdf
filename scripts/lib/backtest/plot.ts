/** A series, what was expected of it, and its alerts, as SVG text that reads on a light and on a dark page. */
import type { Point } from "./rows.ts";

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [1_000, 360, 64, 16, 36, 36];
/** Columns of pixels: of more points each column shows its least and its most. */
const COLUMNS = WIDTH - LEFT - RIGHT;

interface Column {
  low: number;
  high: number;
  bandLow: number;
  bandHigh: number;
}

export function seriesPlot(title: string, points: readonly Point[]): string {
  const known = points.filter(({ expected }) => expected !== undefined);
  const alerts = points.filter(({ alert }) => alert);
  const [first, last] = [points[0]?.atMs ?? 0, points.at(-1)?.atMs ?? 1];
  const values = points.map(({ value }) => value);
  const [least, most] = values.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [0, 1]);
  const x = (atMs: number) => LEFT + ((atMs - first) / (last - first || 1)) * COLUMNS;
  const y = (value: number) =>
    HEIGHT - BOTTOM - ((clamp(value, least, most) - least) / (most - least)) * (HEIGHT - TOP - BOTTOM);
  const columns = new Map<number, Column>();
  for (const { atMs, value, low, high } of points) {
    const at = Math.floor(x(atMs));
    const column = columns.get(at) ?? {
      low: value,
      high: value,
      bandLow: low ?? value,
      bandHigh: high ?? value,
    };
    columns.set(at, {
      low: Math.min(column.low, value),
      high: Math.max(column.high, value),
      bandLow: Math.min(column.bandLow, low ?? column.bandLow),
      bandHigh: Math.max(column.bandHigh, high ?? column.bandHigh),
    });
  }
  const all = [...columns];
  const path = (steps: readonly string[]) => `M${steps.join("L")}`;
  const edge = (pick: (column: Column) => number) =>
    all.map(([at, column]) => `${at},${y(pick(column)).toFixed(1)}`);
  const band = path([...edge(({ bandHigh }) => bandHigh), ...edge(({ bandLow }) => bandLow).reverse()]);
  const line = path(
    all.flatMap(([at, { low, high }]) => [`${at},${y(low).toFixed(1)}`, `${at},${y(high).toFixed(1)}`]),
  );
  const time = (atMs: number) => new Date(atMs).toISOString().slice(0, 16).replace("T", " ");
  const label = (px: number, py: number, text: string, anchor: string) =>
    `<text x="${px}" y="${py}" text-anchor="${anchor}">${escaped(text)}</text>`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" font-family="system-ui, sans-serif" font-size="12">`,
    "<style>text{fill:#333}@media(prefers-color-scheme:dark){text{fill:#ddd}}</style>",
    `<title>${escaped(title)}</title>`,
    label(
      LEFT,
      20,
      `${title}: ${alerts.length} alert${alerts.length === 1 ? "" : "s"} in ${points.length} bins`,
      "start",
    ),
    `<path d="${band}Z" fill="#56b4e9" fill-opacity="0.35"/>`,
    `<path d="${line}" fill="none" stroke="#0072b2" stroke-width="1"/>`,
    ...alerts.map(
      ({ atMs, value }) =>
        `<circle cx="${x(atMs).toFixed(1)}" cy="${y(value).toFixed(1)}" r="4" fill="none" stroke="#d55e00" stroke-width="2"/>`,
    ),
    ...[least, most].map((value) => label(LEFT - 6, y(value) + 4, `${Number(value.toPrecision(3))}`, "end")),
    label(LEFT, HEIGHT - 12, time(first), "start"),
    label(WIDTH - RIGHT, HEIGHT - 12, time(last), "end"),
    label(
      WIDTH - RIGHT,
      20,
      known.length > 0 ? "blue band: 95 % expected; circles: alerts" : "too few bins to expect anything",
      "end",
    ),
    "</svg>\n",
  ].join("\n");
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
