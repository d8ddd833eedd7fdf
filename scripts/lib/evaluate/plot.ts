/** Line plots as SVG text, readable on a light and on a dark page. */

export interface Plot {
  title: string;
  x: { label: string; values: readonly number[]; isLog: boolean };
  series: readonly { name: string; y: readonly number[] }[];
  /** y from the smallest x to 1 on a logarithmic scale, instead of 0 … 1. */
  isLogY?: boolean;
  format(value: number): string;
}

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [720, 400, 64, 150, 40, 48];
/** Okabe and Ito's colours, which those who see fewer colours tell apart too. */
const COLOURS = [
  "#0072b2",
  "#d55e00",
  "#009e73",
  "#cc79a7",
  "#e69f00",
  "#56b4e9",
  "#8c8c8c",
  "#a0522d",
  "#6a3d9a",
];
const Y_TICKS = [0, 0.25, 0.5, 0.75, 1];

export function curves({ title, x, series, isLogY = false, format }: Plot): string {
  const scaled = (value: number) => (x.isLog ? Math.log10(value) : value);
  const [first, last] = [Math.min(...x.values.map(scaled)), Math.max(...x.values.map(scaled))];
  const floor = Math.min(...x.values) / 10;
  const atX = (value: number) =>
    LEFT + ((scaled(value) - first) / (last - first || 1)) * (WIDTH - LEFT - RIGHT);
  const share = (value: number) =>
    isLogY ? 1 - Math.log10(Math.max(value, floor)) / Math.log10(floor) : value;
  const atY = (value: number) => HEIGHT - BOTTOM - share(value) * (HEIGHT - TOP - BOTTOM);
  const yTicks = isLogY ? [...x.values] : Y_TICKS;
  const text = (px: number, py: number, content: string, more = "") =>
    `<text x="${px.toFixed(1)}" y="${py.toFixed(1)}" ${more}>${escaped(content)}</text>`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" font-family="system-ui, sans-serif" font-size="12">`,
    `<title>${escaped(title)}</title>`,
    "<style>text{fill:#222}.grid{stroke:#ccc}@media (prefers-color-scheme:dark){.page{fill:#161b22}text{fill:#ddd}.grid{stroke:#444}}</style>",
    `<rect class="page" width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    text(LEFT, 22, title, 'font-size="15" font-weight="600"'),
    ...yTicks.flatMap((value) => [
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${atY(value).toFixed(1)}" y2="${atY(value).toFixed(1)}"/>`,
      text(LEFT - 6, atY(value) + 4, format(value), 'text-anchor="end"'),
    ]),
    ...x.values.map((value) =>
      text(
        atX(value),
        HEIGHT - BOTTOM + 18,
        isLogY ? value.toExponential(0) : `${value}`,
        'text-anchor="middle"',
      ),
    ),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, x.label, 'text-anchor="middle"'),
    ...series.flatMap(({ name, y }, i) => {
      const colour = COLOURS[i % COLOURS.length]!;
      const points = y
        .map((value, at) => `${atX(x.values[at]!).toFixed(1)},${atY(value).toFixed(1)}`)
        .join(" ");
      const rowY = TOP + 14 + 18 * i;
      return [
        `<polyline points="${points}" fill="none" stroke="${colour}" stroke-width="2"/>`,
        `<line x1="${WIDTH - RIGHT + 12}" x2="${WIDTH - RIGHT + 32}" y1="${rowY - 4}" y2="${rowY - 4}" stroke="${colour}" stroke-width="3"/>`,
        text(WIDTH - RIGHT + 38, rowY, name),
      ];
    }),
    "</svg>\n",
  ].join("\n");
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
