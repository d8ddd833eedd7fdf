/**
 * What the live view costs its reader: a feed of 50 events a second for a minute in a real Chromium, over the real server. A peer
 * is the same page with a feed that is silent.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { CDPSession, Page } from "playwright-core";
import type { Benchmark, Figure, Sample, Series } from "../scripts/lib/bench/benchmark.ts";
import { type FeedWorld, SITE, startFeedWorld } from "../test/contract/helpers/feed-world.ts";
import { launchChromium } from "../test/support/chromium.ts";

const EVENTS_A_SECOND = 50;
const SECONDS = 60;
const SECONDS_QUICK = 3;
const SECOND_MS = 1_000;
const MIB = 1024 * 1024;

export const dashboard: Benchmark = {
  name: "dashboard",
  about: "the live view under 50 events a second, against a silent feed: frames, memory, first paint",
  open: async ({ quick }) => ({ series: [series(quick ? SECONDS_QUICK : SECONDS)], close: async () => {} }),
};

function series(seconds: number): Series {
  const figure = (label: string, metric: string, unit: string): Figure => {
    return { label, metric, unit, variant: "busy", against: "silent" };
  };
  return {
    name: `the live view for ${seconds} s of ${EVENTS_A_SECOND} events a second`,
    rounds: 1,
    variants: [
      { name: "busy", run: () => run(seconds, EVENTS_A_SECOND) },
      { name: "silent", run: () => run(seconds, 0) },
    ],
    figures: [
      figure("work of a frame p95", "frame_p95_ms", "ms"),
      figure("work of a frame p99", "frame_p99_ms", "ms"),
      figure("main thread busy", "busy_percent", "%"),
      figure("heap at the start", "heap_start_mib", "MiB"),
      figure("heap at the end", "heap_end_mib", "MiB"),
      figure("first contentful paint", "paint_ms", "ms"),
      figure("episodes on the page", "episodes", ""),
    ],
  };
}

async function run(seconds: number, rate: number): Promise<Sample> {
  const world = await startFeedWorld();
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    await page.addInitScript(
      `sessionStorage.setItem("hellotide.token", ${JSON.stringify(world.server.token)})`,
    );
    await page.goto(`${world.server.url}/#/sites/${SITE}`);
    await page.locator(".status.live").waitFor();
    const protocol = await page.context().newCDPSession(page);
    await protocol.send("Performance.enable");
    // A minute's worth before anything is measured: a page that is full is what has to stay flat.
    for (let second = 0; second < seconds && rate > 0; second++) await cause(world, second, rate);
    const heapStart = await heapMib(protocol);
    await page.evaluate(WATCH_FRAMES);
    const from = await metrics(protocol);
    for (let second = 0; second < seconds; second++) await cause(world, seconds + second, rate);
    const to = await metrics(protocol);
    const frames = ((await page.evaluate("window.frames_ms")) as number[]).sort((a, b) => a - b);
    const quantile = (q: number) => frames[Math.min(Math.floor(q * frames.length), frames.length - 1)] ?? 0;
    return {
      frame_p95_ms: quantile(0.95),
      frame_p99_ms: quantile(0.99),
      busy_percent: (100 * (to.busyS - from.busyS)) / (to.atS - from.atS),
      heap_start_mib: heapStart,
      heap_end_mib: await heapMib(protocol),
      paint_ms: await paintMs(page),
      episodes: await page.locator("button.episode").count(),
    };
  } finally {
    await browser.close();
    await world.server.stop();
  }
}

/** One second's events. */
async function cause(world: FeedWorld, second: number, rate: number): Promise<void> {
  const next = sleep(SECOND_MS);
  if (rate > 0) await world.cause(second * rate, rate);
  await next;
}

/**
 * The work of a frame: from its animation callbacks to the first task after it was laid out and painted. The interval between two
 * frames would be the display's, whatever they cost.
 */
const WATCH_FRAMES = `
  window.frames_ms = [];
  const channel = new MessageChannel();
  let begun = 0;
  channel.port1.onmessage = () => window.frames_ms.push(performance.now() - begun);
  const frame = () => {
    begun = performance.now();
    channel.port2.postMessage(0);
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
`;

async function heapMib(protocol: CDPSession): Promise<number> {
  await protocol.send("HeapProfiler.collectGarbage");
  const { usedSize } = await protocol.send("Runtime.getHeapUsage");
  return usedSize / MIB;
}

async function metrics(protocol: CDPSession): Promise<{ atS: number; busyS: number }> {
  const { metrics: all } = await protocol.send("Performance.getMetrics");
  const value = (name: string) => all.find((one) => one.name === name)?.value ?? 0;
  return { atS: value("Timestamp"), busyS: value("TaskDuration") };
}

async function paintMs(page: Page): Promise<number> {
  return (await page.evaluate(
    "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0",
  )) as number;
}
