/**
 * How fast `…/features` streams every fingerprint of a site, on raw workerd: against shards that hand out the same bytes
 * without making them, and against a quarter of the fingerprints, which must be as fast a row and need as little memory.
 */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Benchmark, Context, Figure, Sample, Samples, Series } from "../scripts/lib/bench/benchmark.ts";
import { Failure } from "../scripts/lib/failure.ts";
import { ja4Of } from "../test/support/client.ts";
import { type RunningEngine, Workshop } from "./lib/engine.ts";

const ENTRIES = { real: "src/index.ts", constant: "bench/workers/features-constant.ts" } as const;
const FINGERPRINTS = 50_000;
const QUICK_FINGERPRINTS = 2_000;
const BODY_OBSERVATIONS = 10_000;
const TOKEN = "features-bench-0123456789abcdef";
const HEADERS = { authorization: `Bearer ${TOKEN}` };
const FORMATS = ["ndjson", "csv"] as const;
const NEWLINE = 10;
/** How often the engine's memory is looked at while it streams, in pieces of the stream. */
const LOOK_EVERY = 16;
const RANKS_TRIES = 200;
const RANKS_WAIT_MS = 100;

export const features: Benchmark = {
  name: "features",
  about: "the export of 50,000 fingerprints as feature rows: rows a second, memory while it streams",
  open: async (context) => {
    const workshop = new Workshop();
    for (const [name, entry] of Object.entries(ENTRIES)) await workshop.prepare(name, entry);
    return { series: [series(workshop, context)], close: async () => workshop.close() };
  },
};

function series(workshop: Workshop, { quick }: Context): Series {
  const fingerprints = quick ? QUICK_FINGERPRINTS : FINGERPRINTS;
  const figure = (label: string, metric: string, unit: string, against: string): Figure => {
    return { label, metric, unit, variant: "real", against };
  };
  return {
    name: `${fingerprints} fingerprints on 4 shards, each with a row`,
    rounds: 5,
    variants: [
      { name: "real", run: () => run(workshop, "real", fingerprints) },
      { name: "constant", run: () => run(workshop, "constant", fingerprints) },
      { name: "quarter", run: () => run(workshop, "real", fingerprints / 4) },
    ],
    figures: [
      figure("NDJSON, rows", "ndjson_rows_per_s", "1/s", "constant"),
      figure("CSV, rows", "csv_rows_per_s", "1/s", "constant"),
      figure("NDJSON, rows", "ndjson_rows_per_s", "1/s", "quarter"),
      figure("NDJSON, the first bytes", "ndjson_first_ms", "ms", "quarter"),
      figure("NDJSON, the whole", "ndjson_ms", "ms", "quarter"),
      figure("NDJSON, size", "ndjson_mb", "MB", "quarter"),
      figure("the engine's memory more than before, at most", "grown_mb", "MB", "quarter"),
    ],
    check: wrongRows,
  };
}

async function run(workshop: Workshop, entry: keyof typeof ENTRIES, fingerprints: number): Promise<Sample> {
  const sha256 = createHash("sha256").update(TOKEN).digest("hex");
  const token = { name: "bench", sha256, scopes: ["ingest", "read"], sites: ["*"] };
  const engine = await workshop.start(entry, { SITES: '{"shop":[]}', API_TOKENS: JSON.stringify([token]) });
  try {
    await fill(engine, fingerprints);
    const looks = [engine.rssMb() ?? 0];
    let sample: Sample = {};
    for (const format of FORMATS) {
      // Once to compile it, and for the peer to make its pages.
      await download(engine, format, looks);
      const { ms, firstMs, bytes, rows } = await download(engine, format, looks);
      sample = {
        ...sample,
        ...{ [`${format}_rows_per_s`]: rows / (ms / 1_000), [`${format}_ms`]: ms },
        ...{ [`${format}_first_ms`]: firstMs, [`${format}_mb`]: bytes / 1e6 },
        [`${format}_missing`]: fingerprints - rows,
      };
    }
    return { ...sample, grown_mb: Math.max(...looks) - looks[0]! };
  } finally {
    await engine.stop();
  }
}

/** Requests of the last minutes, four a fingerprint with all facts; resolves when every shard has ranks. */
async function fill(engine: RunningEngine, fingerprints: number): Promise<void> {
  const nowMs = Date.now() - 1_000;
  const count = 4 * fingerprints;
  for (let from = 0; from < count; from += BODY_OBSERVATIONS) {
    const lines = Array.from({ length: Math.min(BODY_OBSERVATIONS, count - from) }, (_, k) => {
      const i = from + k;
      return JSON.stringify({
        ...{ timestamp: nowMs - ((i * 7_919) % 240_000), ja4: ja4Of(i % fingerprints) },
        ...{ client_ip: `10.${i % 3}.${i % 251}.${i % 241}`, user_agent: `Mozilla/5.0 agent ${i % 20}` },
        ...{ path: `/p/${i % 1_999}`, host: "shop.example", asn: 64_500 + (i % 97), http_protocol: "HTTP/2" },
        ...{ status: i % 50 === 0 ? 404 : 200, cache_status: i % 3 === 0 ? "hit" : "miss", bot_score: 30 },
        ja4_signals: { h2h3_ratio_1h: 0.98, browser_ratio_1h: 0.9, reqs_quantile_1h: 0.999 },
      });
    });
    const response = await fetch(url(engine, "observations"), {
      ...{ method: "POST", headers: { ...HEADERS, "content-type": "application/x-ndjson" } },
      body: lines.join("\n"),
    });
    if (response.status !== 202) throw new Failure(`the past was not taken: ${response.status}`);
    await response.text();
  }
  for (let tries = 0; tries < RANKS_TRIES; tries++) {
    const response = await fetch(url(engine, `fingerprints/${ja4Of(0)}`), { headers: HEADERS });
    if ((await response.text()).includes('"population"')) return;
    await sleep(RANKS_WAIT_MS);
  }
  throw new Failure("the shards have no ranks");
}

interface Download {
  readonly ms: number;
  readonly firstMs: number;
  readonly bytes: number;
  readonly rows: number;
}

/** Reads an export to its end; adds what memory the engine held meanwhile to `looks`, MB. */
async function download(engine: RunningEngine, format: string, looks: number[]): Promise<Download> {
  const from = performance.now();
  const { body, status } = await fetch(url(engine, `features?format=${format}`), { headers: HEADERS });
  if (status !== 200 || body === null) throw new Failure(`the export answered ${status}`);
  let [firstMs, bytes, pieces] = [0, 0, 0];
  // A heading is no row.
  let rows = format === "csv" ? -1 : 0;
  for await (const piece of body) {
    if (pieces === 0) firstMs = performance.now() - from;
    if (pieces++ % LOOK_EVERY === 0) looks.push(engine.rssMb() ?? 0);
    bytes += piece.length;
    for (let at = piece.indexOf(NEWLINE); at >= 0; at = piece.indexOf(NEWLINE, at + 1)) rows++;
  }
  return { ms: performance.now() - from, firstMs, bytes, rows };
}

function url(engine: RunningEngine, path: string): string {
  return `http://127.0.0.1:${engine.port}/v1/sites/shop/${path}`;
}

function wrongRows(samples: Samples): string[] {
  return [...samples].flatMap(([name, runs]) =>
    runs.flatMap((sample) =>
      FORMATS.flatMap((format) => {
        const missing = sample[`${format}_missing`];
        return missing === 0 ? [] : [`${name}: ${missing} rows of ${format} are missing`];
      }),
    ),
  );
}
