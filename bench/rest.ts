/** What `GET …/fingerprints/{ja4}` costs on raw workerd, against a shard that answers a constant of the same size. */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Benchmark, Context, Figure, Sample, Series } from "../scripts/lib/bench/benchmark.ts";
import { Failure } from "../scripts/lib/failure.ts";
import { type RunningEngine, Workshop } from "./lib/engine.ts";
import { failedRequests, type Load, loadOf, sendLoad } from "./lib/load.ts";

const ENTRIES = { real: "src/index.ts", constant: "bench/workers/rest-constant.ts" } as const;
type Name = keyof typeof ENTRIES;

const LOAD: Load = { connections: 16, warmUp: 2_000, closed: 10_000, steady: 2_000, rate: 500 };
const TOKEN = "rest-bench-0123456789abcdef";
const SITE = "/v1/sites/shop";
const FINGERPRINTS = 2_000;
const OBSERVATIONS = 200_000;
const BODY_OBSERVATIONS = 10_000;
/** The fingerprints that are asked for. */
const ASKED = 200;
/** The minutes that the observations lie in. */
const MINUTES = 50;
const RANKS_TRIES = 200;
const RANKS_WAIT_MS = 100;

export const rest: Benchmark = {
  name: "rest",
  about: "reading one fingerprint, against an answer that is always the same",
  open: async (context) => {
    const workshop = new Workshop();
    for (const [name, entry] of Object.entries(ENTRIES)) await workshop.prepare(name, entry);
    return { series: [series(workshop, context)], close: async () => workshop.close() };
  },
};

function series(workshop: Workshop, context: Context): Series {
  const figure = (label: string, metric: string, unit: string): Figure => {
    return { label, metric, unit, variant: "real", against: "constant" };
  };
  return {
    name: `GET one of ${ASKED} fingerprints, ${LOAD.connections} at once, site of ${FINGERPRINTS} fingerprints`,
    rounds: 5,
    variants: (["real", "constant"] as const).map((name) => ({
      name,
      run: () => run(workshop, name, context),
    })),
    figures: [
      figure("requests/s", "closed_rps", "1/s"),
      figure("latency p50", "closed_p50_ms", "ms"),
      figure("latency p99", "closed_p99_ms", "ms"),
      figure(`latency p50, ${LOAD.rate} requests/s`, "steady_p50_ms", "ms"),
      figure(`latency p99, ${LOAD.rate} requests/s`, "steady_p99_ms", "ms"),
      figure("the engine's CPU a request", "cpu_us", "µs"),
      figure("bytes of an answer", "bytes", "bytes"),
    ],
    check: (samples) => [...samples].flatMap(([name, runs]) => failedRequests(name, runs)),
  };
}

async function run(workshop: Workshop, name: Name, context: Context): Promise<Sample> {
  const sha256 = createHash("sha256").update(TOKEN).digest("hex");
  const token = { name: "bench", sha256, scopes: ["ingest", "read"], sites: ["*"] };
  const engine = await workshop.start(name, {
    ...{ SITES: '{"shop":[]}', SHARDS: "1", API_TOKENS: JSON.stringify([token]) },
    // Counted as ever, but one token sends more here than a user's may in a minute.
    RATE_LIMIT: "1000000",
  });
  try {
    await fill(engine, context.quick ? OBSERVATIONS / 10 : OBSERVATIONS);
    const bytes = await untilRanked(engine);
    const paths = Array.from({ length: ASKED }, (_, i) => `${SITE}/fingerprints/${ja4Of(i)}`);
    const sample = await sendLoad(engine, loadOf(context, LOAD), "rest", { token: TOKEN, paths });
    return { ...sample, bytes };
  } finally {
    await engine.stop();
  }
}

function ja4Of(n: number): string {
  const [b, c] = [n, n * 7_919 + 1].map((part) => part.toString(16).padStart(12, "0"));
  return `t13d1516h2_${b}_${c}`;
}

/** Traffic of the last hour: few fingerprints have much of it, and every one has all facts. */
async function fill(engine: RunningEngine, count: number): Promise<void> {
  const nowMs = Date.now() - 1_000;
  for (let from = 0; from < count; from += BODY_OBSERVATIONS) {
    const lines = Array.from({ length: Math.min(BODY_OBSERVATIONS, count - from) }, (_, k) => {
      const i = from + k;
      // By Zipf's law with exponent 1, from the golden ratio's even spread.
      const fp = Math.min(FINGERPRINTS - 1, Math.floor(FINGERPRINTS ** ((i * 0.618_033_988_75) % 1)) - 1);
      return JSON.stringify({
        ...{ timestamp: nowMs - Math.floor((i * 7_919 * 60) % (MINUTES * 60_000)), ja4: ja4Of(fp) },
        ...{ client_ip: `10.${i % 3}.${i % 251}.${i % 241}`, user_agent: `Mozilla/5.0 agent ${i % 20}` },
        ...{ path: `/p/${i % 1_999}`, host: "shop.example", asn: 64_500 + (i % 97), http_protocol: "HTTP/2" },
        ...{ status: i % 50 === 0 ? 404 : 200, cache_status: i % 3 === 0 ? "hit" : "miss", bot_score: 30 },
        ...{
          ja4_signals: {
            h2h3_ratio_1h: 0.98,
            browser_ratio_1h: 0.9,
            reqs_rank_1h: 850,
            reqs_quantile_1h: 0.999,
          },
        },
      });
    });
    const response = await fetch(url(engine, `${SITE}/observations`), {
      method: "POST",
      headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/x-ndjson" },
      body: lines.join("\n"),
    });
    if (response.status !== 202) throw new Failure(`the past was not taken: ${response.status}`);
    await response.text();
  }
}

/** Ranks come with the next tick; answers the size of the form then, bytes. */
async function untilRanked(engine: RunningEngine): Promise<number> {
  for (let tries = 0; tries < RANKS_TRIES; tries++) {
    const response = await fetch(url(engine, `${SITE}/fingerprints/${ja4Of(0)}`), {
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    const text = await response.text();
    if (text.includes('"reqs_rank_1h":1,')) return text.length;
    await sleep(RANKS_WAIT_MS);
  }
  throw new Failure("no ranks came");
}

function url({ port }: RunningEngine, path: string): string {
  return `http://127.0.0.1:${port}${path}`;
}
