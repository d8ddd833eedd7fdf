/** An hour, minute by minute: requests as bars, the expected band behind them, anomalies marked. */
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import type { FeedEvent, Schemas } from "../../client/index.ts";
import { count, words } from "../format.ts";

const HEIGHT_PX = 260;
const MINUTE_S = 60;

interface Props {
  readonly timeline: Schemas["Timeline"];
  readonly anomalies: readonly FeedEvent[];
}

interface Mark {
  readonly fromS: number;
  readonly toS: number;
  readonly kind: string;
}

export function TimelineChart({ timeline, anomalies }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot>(undefined);
  const marks = useRef<readonly Mark[]>([]);
  marks.current = anomalies.map(({ data }) => ({
    fromS: Date.parse(data.started_at) / 1_000,
    toS: data.ended_at === undefined ? Date.now() / 1_000 : Date.parse(data.ended_at) / 1_000,
    kind: words(data.kind),
  }));
  const { minutes } = timeline;
  const data: uPlot.AlignedData = [
    minutes.map(({ from }) => Date.parse(from) / 1_000 + MINUTE_S / 2),
    minutes.map(({ expected }) => expected?.low ?? null),
    minutes.map(({ expected }) => expected?.high ?? null),
    minutes.map(({ expected }) => expected?.mean ?? null),
    minutes.map(({ reqs }) => reqs),
  ];
  const latest = useRef(data);
  latest.current = data;
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const made = new uPlot(optionsOf(element, marks), latest.current, element);
    chart.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT_PX }));
    resized.observe(element);
    // Colours are the theme's, which are read when it draws.
    const themed = new MutationObserver(() => made.redraw(false));
    themed.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    return () => {
      themed.disconnect();
      resized.disconnect();
      made.destroy();
    };
  }, []);
  useEffect(() => chart.current?.setData(data), [timeline]);
  const most = minutes.reduce((a, b) => (b.reqs > a.reqs ? b : a), minutes[0] ?? { reqs: 0, from: "" });
  return (
    <figure class="chart">
      <div ref={box} aria-hidden="true" />
      <figcaption>
        Requests a minute; the band is what is expected (95 %), marked times are anomalies. At most{" "}
        {count(most.reqs)} in a minute.
      </figcaption>
    </figure>
  );
}

const colour = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function optionsOf(element: HTMLElement, marks: { readonly current: readonly Mark[] }): uPlot.Options {
  const axis: uPlot.Axis = {
    stroke: () => colour("--quiet"),
    grid: { stroke: () => colour("--line"), width: 1 },
    ticks: { stroke: () => colour("--line"), width: 1 },
  };
  return {
    width: element.clientWidth,
    height: HEIGHT_PX,
    cursor: { y: false },
    legend: { live: true },
    scales: { y: { range: (_, __, max) => [0, Math.max(max * 1.1, 1)] } },
    axes: [axis, { ...axis, size: 56 }],
    series: [
      { label: "time" },
      { label: "low", stroke: "transparent", points: { show: false } },
      { label: "high", stroke: "transparent", points: { show: false } },
      {
        label: "expected",
        stroke: () => colour("--quiet"),
        width: 1,
        dash: [4, 4],
        points: { show: false },
      },
      {
        label: "requests",
        stroke: () => colour("--accent"),
        fill: () => colour("--accent"),
        points: { show: false },
        ...(uPlot.paths.bars === undefined ? {} : { paths: uPlot.paths.bars({ size: [0.7, 20] }) }),
      },
    ],
    bands: [{ series: [2, 1], fill: () => colour("--band") }],
    hooks: { drawAxes: [(chart) => drawMarks(chart, marks.current)] },
  };
}

/** Behind the bars: when something was anomalous. */
function drawMarks({ ctx, bbox, valToPos }: uPlot, marks: readonly Mark[]): void {
  ctx.save();
  ctx.fillStyle = colour("--mark");
  for (const { fromS, toS } of marks) {
    const left = Math.max(valToPos(fromS, "x", true), bbox.left);
    const right = Math.min(valToPos(toS, "x", true), bbox.left + bbox.width);
    if (right > left) ctx.fillRect(left, bbox.top, Math.max(right - left, 2), bbox.height);
  }
  ctx.restore();
}
