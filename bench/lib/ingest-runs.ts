/** One run of the ingest load against one object: a fresh engine, an hour of history, warm-up, the measured part, a recount. */
import type { Context, Sample } from "../../scripts/lib/bench/benchmark.ts";
import { Failure } from "../../scripts/lib/failure.ts";
import { type RunningEngine, Workshop } from "./engine.ts";
import { framesBody } from "./ingest-frames.ts";
import type { RunInput, RunResult } from "./ingest-protocol.ts";
import { ja4s, type Observation, observations } from "./observations.ts";

const ENTRIES = {
  shard: "bench/workers/ingest-real.ts",
  acking: "bench/workers/ingest-acking.ts",
} as const;
export type ObjectName = keyof typeof ENTRIES;

export const CALLERS = 64;
/** Of the history: the oldest must still be in the hour when the run ends. */
const BACK_MS = 55 * 60_000;
/** Fingerprints that are recounted, the most frequent ones. */
const RECOUNTED = 5;
/** A distinct count may be off by three standard errors of 3 % (READ-2). */
const DISTINCT_TOLERANCE = 0.09;

interface Size {
  readonly pool: number;
  readonly backRows: number;
  readonly warmMs: number;
  readonly forMs: number;
}

const FULL: Size = { pool: 200_000, backRows: 600_000, warmMs: 1_500, forMs: 5_000 };
const QUICK: Size = { pool: 20_000, backRows: 20_000, warmMs: 100, forMs: 500 };

interface ShardSummaryPart {
  readonly sinceStart: { readonly accepted: number; readonly duplicate: number; readonly late: number };
  readonly windows: { readonly "1h": { readonly reqs: number } };
}
interface FingerprintPart {
  readonly ja4: string;
  readonly windows: { readonly "1h": { readonly reqs: number; readonly ips?: number } };
}

export class IngestRuns {
  readonly #workshop = new Workshop();
  readonly #size: Size;
  readonly #ja4s = ja4s();
  readonly observations: readonly Observation[];
  /** Bodies by rows a frame. */
  readonly #bodies = new Map<number, Uint8Array>();

  private constructor({ quick }: Context) {
    this.#size = quick ? QUICK : FULL;
    this.observations = observations(this.#size.pool);
  }

  static async open(context: Context): Promise<IngestRuns> {
    const runs = new IngestRuns(context);
    for (const [name, entry] of Object.entries(ENTRIES)) await runs.#workshop.prepare(name, entry);
    return runs;
  }

  close(): void {
    this.#workshop.close();
  }

  /** `rows` observations a frame. `wrong`: facts in which the object's numbers and a recount differ. */
  async run(object: ObjectName, rows: number): Promise<Sample> {
    const engine = await this.#workshop.start(object, { SITES: '{"shop":[]}', TICK: "5s" });
    try {
      return await this.#measure(engine, object, rows);
    } finally {
      await engine.stop();
    }
  }

  async #measure(engine: RunningEngine, object: ObjectName, rows: number): Promise<Sample> {
    const { backRows, warmMs, forMs } = this.#size;
    const body = this.#body(rows);
    await post(engine, "/frames", body);
    const send = (input: Omit<RunInput, "callers">) =>
      post<RunResult>(engine, "/run", JSON.stringify({ callers: CALLERS, ...input }));
    await send({ backfill: { frames: Math.ceil(backRows / rows), backMs: BACK_MS } });
    const warm = await send({ forMs: warmMs });
    const cpuBefore = engine.cpuMs();
    const from = performance.now();
    const { sent } = await send({ forMs });
    const ms = performance.now() - from;
    const cpuMs = (engine.cpuMs() ?? Number.NaN) - (cpuBefore ?? Number.NaN);
    // Before the recount, which reads a lot.
    const rssMb = engine.rssMb();
    const done = (sent - warm.sent) * rows;
    const faults =
      object === "shard" ? await this.#recount(engine, sent, rows) : await recountLog(engine, sent);
    for (const fault of faults) process.stderr.write(`${object}, ${rows} a frame: ${fault}\n`);
    return {
      observations: done,
      durable_per_s: (done * 1_000) / ms,
      calls_per_s: ((sent - warm.sent) * 1_000) / ms,
      bytes_per_observation: body.length / this.observations.length,
      ...(Number.isNaN(cpuMs)
        ? {}
        : { cpu_ns: (cpuMs * 1e6) / done, cores: cpuMs / ms, rss_mb: rssMb ?? Number.NaN }),
      wrong: faults.length,
    };
  }

  #body(rows: number): Uint8Array {
    let body = this.#bodies.get(rows);
    if (body === undefined) {
      body = framesBody(this.observations, this.#ja4s, rows);
      this.#bodies.set(rows, body);
    }
    return body;
  }

  /** What the shard says of `sent` frames, against the observations themselves. */
  async #recount(engine: RunningEngine, sent: number, rows: number): Promise<string[]> {
    const summary = await post<ShardSummaryPart>(engine, "/summary");
    const top = this.#ja4s.slice(0, RECOUNTED);
    const read = await post<{ found: FingerprintPart[] }>(engine, "/read", JSON.stringify(top));
    const frames = this.observations.length / rows;
    const reqs = new Array<number>(RECOUNTED).fill(0);
    const ips = Array.from({ length: RECOUNTED }, () => new Set<number>());
    this.observations.forEach(({ fp, ip }, i) => {
      const frame = Math.floor(i / rows);
      const times = Math.floor(sent / frames) + (frame < sent % frames ? 1 : 0);
      if (fp >= RECOUNTED || times === 0) return;
      reqs[fp]! += times;
      ips[fp]!.add(ip);
    });
    const { accepted, duplicate, late } = summary.sinceStart;
    const found = top.map((ja4) => read.found.find((one) => one.ja4 === ja4)?.windows["1h"]);
    return [
      ...differs("accepted", accepted, sent * rows),
      ...differs("duplicate", duplicate, 0),
      ...differs("late", late, 0),
      ...differs("requests of the hour", summary.windows["1h"].reqs, sent * rows),
      ...found.flatMap((hour, i) => [
        ...differs(`requests of fingerprint ${i}`, hour?.reqs, reqs[i]!),
        ...differs(`addresses of fingerprint ${i}`, hour?.ips, ips[i]!.size, DISTINCT_TOLERANCE),
      ]),
    ];
  }
}

async function recountLog(engine: RunningEngine, sent: number): Promise<string[]> {
  const { frames } = await post<{ frames: number }>(engine, "/summary");
  return differs("frames on disk", frames, sent);
}

function differs(what: string, is: number | undefined, should: number, tolerance = 0): string[] {
  if (is !== undefined && Math.abs(is - should) <= should * tolerance) return [];
  return [`${what}: ${is} instead of ${should}`];
}

async function post<T>(engine: RunningEngine, path: string, body: Uint8Array | string = ""): Promise<T> {
  const response = await fetch(`http://127.0.0.1:${engine.port}${path}`, {
    method: "POST",
    body: body as string | Uint8Array<ArrayBuffer>,
  });
  if (!response.ok) throw new Failure(`${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}
