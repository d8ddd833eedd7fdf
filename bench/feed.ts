/**
 * What the feed costs by the number of its sockets, on raw workerd, against an object that only sends the same bytes, and one
 * that also keeps them: whatever is sent after a write waits until that is durable.
 */
import { existsSync, readFileSync } from "node:fs";
import type { Benchmark, Figure, Sample, Samples, Series } from "../scripts/lib/bench/benchmark.ts";
import { startScript } from "../scripts/lib/bench/processes.ts";
import { Failure } from "../scripts/lib/failure.ts";
import { type RunningEngine, Workshop } from "./lib/engine.ts";
import type { FeedClientsInput, FeedRunInput, FeedRunResult } from "./lib/feed-protocol.ts";

const ENTRIES = {
  feed: "bench/workers/feed-real.ts",
  broadcast: "bench/workers/feed-broadcast.ts",
  keeping: "bench/workers/feed-keeping.ts",
} as const;
type Name = keyof typeof ENTRIES;
const NAMES = Object.keys(ENTRIES) as Name[];

interface Size {
  readonly sockets: number;
  readonly warmUp: FeedRunInput;
  /** As fast as the sockets take it, by events of one append. */
  readonly fast: readonly (FeedRunInput & { readonly each: number })[];
  readonly steady: FeedRunInput;
}

/** In all far fewer bytes than a socket may have without an ack (1 MiB), as no client here sends one. */
const FULL: Size = {
  sockets: 5_000,
  warmUp: { appends: 20, each: 1 },
  fast: [
    { appends: 80, each: 1 },
    { appends: 10, each: 10 },
  ],
  steady: { events: 24, everyMs: 250 },
};
const QUICK: Size = {
  sockets: 200,
  warmUp: { appends: 5, each: 1 },
  fast: [
    { appends: 20, each: 1 },
    { appends: 4, each: 10 },
  ],
  steady: { events: 10, everyMs: 20 },
};
/** Descriptors that an engine or the clients need for other things than the sockets. */
const SPARE_FILES = 200;

export const feed: Benchmark = {
  name: "feed",
  about: "events to thousands of subscribers, against plain broadcasting",
  open: async ({ quick }) => {
    const size = quick ? QUICK : FULL;
    checkFiles(size.sockets + SPARE_FILES);
    const workshop = new Workshop();
    for (const [name, entry] of Object.entries(ENTRIES)) await workshop.prepare(name, entry);
    return { series: [series(workshop, size)], close: async () => workshop.close() };
  },
};

function series(workshop: Workshop, size: Size): Series {
  const figure = (label: string, metric: string, unit: string, against: Name = "broadcast"): Figure => {
    return { label, metric, unit, variant: "feed", against };
  };
  return {
    name: `raw workerd, ${size.sockets} WebSockets, each gets every event`,
    rounds: 5,
    variants: NAMES.map((name) => ({
      name,
      run: () => run(workshop, name, size),
    })),
    figures: [
      ...size.fast.flatMap(({ each }) => [
        figure(`deliveries, ${each} an append`, `deliveries_per_s_${each}`, "1/s"),
        figure(`deliveries, ${each} an append`, `deliveries_per_s_${each}`, "1/s", "keeping"),
        figure(`the engine's CPU a delivery, ${each} an append`, `cpu_us_${each}`, "µs"),
        figure(`the engine's CPU a delivery, ${each} an append`, `cpu_us_${each}`, "µs", "keeping"),
      ]),
      figure("append to receipt p50, 4 events/s", "p50_ms", "ms"),
      figure("append to receipt p99, 4 events/s", "p99_ms", "ms"),
      figure("bytes of an event", "bytes", "bytes"),
      figure("the engine's memory at the end", "rss_mb", "MB"),
    ],
    check: everyEvent,
  };
}

async function run(workshop: Workshop, name: Name, size: Size): Promise<Sample> {
  const engine = await workshop.start(name, { SITES: '{"shop":[]}' });
  const { sockets } = size;
  const clients = startScript("bench/processes/feed-clients.ts", {
    port: engine.port,
    sockets,
  } satisfies FeedClientsInput);
  try {
    const port = await new Promise<number>((resolve, reject) => {
      clients.once("exit", () => reject(new Failure("the clients did not get their sockets")));
      clients.stdout?.once("data", (line: Buffer) => resolve(Number(line.toString())));
    });
    await send(port, size.warmUp);
    let sample: Record<string, number> = {};
    for (const fast of size.fast) sample = { ...sample, ...(await measure(engine, port, fast, sockets)) };
    const { events, bytes, p50_ms, p99_ms, faults, reasons } = await send(port, size.steady);
    for (const reason of reasons) process.stderr.write(`${name}: ${reason}\n`);
    return {
      ...sample,
      ...(p50_ms === undefined || p99_ms === undefined ? {} : { p50_ms, p99_ms }),
      bytes: bytes / (events * sockets),
      rss_mb: engine.rssMb() ?? Number.NaN,
      faults,
    };
  } finally {
    clients.kill("SIGKILL");
    await engine.stop();
  }
}

async function measure(
  engine: RunningEngine,
  port: number,
  fast: Size["fast"][number],
  sockets: number,
): Promise<Sample> {
  const cpuBefore = engine.cpuMs();
  const { events, seconds } = await send(port, fast);
  const cpuMs = (engine.cpuMs() ?? Number.NaN) - (cpuBefore ?? Number.NaN);
  const deliveries = events * sockets;
  return {
    [`deliveries_per_s_${fast.each}`]: deliveries / seconds,
    ...(Number.isNaN(cpuMs) ? {} : { [`cpu_us_${fast.each}`]: (cpuMs * 1_000) / deliveries }),
  };
}

async function send(port: number, input: FeedRunInput): Promise<FeedRunResult> {
  const response = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body: JSON.stringify(input) });
  if (!response.ok) throw new Failure(`the clients: ${await response.text()}`);
  return (await response.json()) as FeedRunResult;
}

/** A run that did not deliver everything has measured nothing. */
function everyEvent(samples: Samples): string[] {
  return [...samples].flatMap(([name, runs]) => {
    const faults = runs.reduce((sum, one) => sum + (one.faults ?? 0), 0);
    return faults === 0 ? [] : [`${name}: ${faults} events missed, repeated or out of order`];
  });
}

/** Throws where this process, and so what it starts, may not open so many files (proc_pid_limits(5)). */
function checkFiles(needed: number): void {
  const file = "/proc/self/limits";
  const limit = /^Max open files\s+(\d+)/m.exec(existsSync(file) ? readFileSync(file, "utf8") : "")?.[1];
  if (limit !== undefined && Number(limit) < needed)
    throw new Failure(`${needed} open files are needed and ${limit} allowed: ulimit -n ${needed}`);
}
