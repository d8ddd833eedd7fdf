/** How fast the real server takes Logpush uploads in, and that a large one takes no more memory than a small one. */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import type { Benchmark, Sample, Samples } from "../scripts/lib/bench/benchmark.ts";
import { readHolder } from "../scripts/lib/lock.ts";
import { createClient, ja4Of } from "../test/support/client.ts";
import { startServer } from "../test/support/server.ts";

/** Contract §3 allows a million. */
const RECORDS = 1_000_000;
const QUICK_RECORDS = 20_000;
/** Records of one gzip member: the upload is made without being held as text. */
const MEMBER_RECORDS = 10_000;
const FINGERPRINTS = 2_000;
/**
 * Different address, agent, path and fingerprint together. So few that every minute of the smaller upload has all of them,
 * or the larger one would fill the sets of the window further, and its memory would be the window's.
 */
const VISITORS = 5_000;

export const logpush: Benchmark = {
  name: "logpush",
  about: "Logpush uploads: records a second, and memory that does not grow with them",
  open: async ({ quick }) => {
    const records = quick ? QUICK_RECORDS : RECORDS;
    const against = { variant: "whole", against: "quarter" };
    return {
      series: [
        {
          name: `one upload of ${records} records, against one of a quarter of them`,
          rounds: quick ? 1 : 3,
          variants: [
            { name: "whole", run: () => uploads([records]) },
            { name: "quarter", run: () => uploads([records / 4]) },
          ],
          figures: [
            { label: "records", metric: "records_per_s", unit: "1/s", ...against },
            { label: "gzip on the wire", metric: "wire_mb", unit: "MB", ...against },
            { label: "text", metric: "text_mb", unit: "MB", ...against },
            { label: "the engine's peak memory", metric: "peak_mb", unit: "MB", ...against },
            { label: "held by the shards at the end", metric: "held_mb", unit: "MB", ...against },
          ],
          check: wrongAnswers,
        },
        {
          // The window and the evidence are as full as they become, and what garbage the engine lets lie is the same.
          name: `the same to an engine that took ${records} records before`,
          // Minutes each, and a hundredth apart.
          rounds: quick ? 1 : 2,
          variants: [
            { name: "whole", run: () => uploads([records, records]) },
            { name: "quarter", run: () => uploads([records, records / 4]) },
          ],
          figures: [
            { label: "the engine's peak memory", metric: "peak_mb", unit: "MB", ...against },
            { label: "held by the shards at the end", metric: "held_mb", unit: "MB", ...against },
          ],
          check: wrongAnswers,
        },
      ],
      close: async () => undefined,
    };
  },
};

/** Uploads of so many records to a fresh server, one after the other; what the last one took. */
async function uploads(sizes: readonly number[]): Promise<Sample> {
  const server = await startServer({ sites: ["shop"] });
  try {
    const pid = readHolder(server.dir)?.engine?.pid;
    let sample: Sample = {};
    let missing = 0;
    for (const [nth, records] of sizes.entries()) {
      const { body, textBytes } = made(records, nth);
      forgetPeak(pid);
      const from = performance.now();
      const answer = await fetch(`${server.url}/v1/sites/shop/logpush`, {
        method: "POST",
        headers: { authorization: `Bearer ${server.token}` },
        body: Uint8Array.from(body),
      });
      const { accepted = 0 } = (await answer.json()) as { accepted?: number };
      const seconds = (performance.now() - from) / 1_000;
      missing += records - accepted;
      sample = { records_per_s: records / seconds, wire_mb: body.length / 1e6, text_mb: textBytes / 1e6 };
    }
    const peak_mb = peakMb(pid);
    const summary = await createClient(server).get("/v1/sites/shop/summary");
    const { shards } = summary.json<{ shards: { bytes: number }[] }>();
    const held_mb = shards.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6;
    return { ...sample, peak_mb, held_mb, missing };
  } finally {
    await server.stop();
  }
}

/** Requests of the last half hour as Cloudflare writes them, some 500 B each; the same for the same number and place. */
function made(records: number, nth: number): { body: Buffer; textBytes: number } {
  const members: Buffer[] = [];
  let textBytes = 0;
  const fromMs = Date.now() - 1_800_000;
  for (let first = 0; first < records; first += MEMBER_RECORDS) {
    const count = Math.min(MEMBER_RECORDS, records - first);
    const line = (_: unknown, i: number) => {
      const ms = fromMs + Math.floor(((first + i) / records) * 1_700_000);
      return lineOf(first + i, ms, nth);
    };
    const text = Array.from({ length: count }, line).join("");
    textBytes += text.length;
    members.push(gzipSync(text));
  }
  return { body: Buffer.concat(members), textBytes };
}

function lineOf(i: number, ms: number, nth: number): string {
  const dice = createHash("md5")
    .update(String(i % VISITORS))
    .digest();
  const record = {
    ...{ BotScore: 1 + (dice[0]! % 99), BotScoreSrc: "Machine Learning", CacheCacheStatus: "dynamic" },
    ...{ ClientASN: 64_500 + (dice[1]! % 40), ClientIP: `10.${dice[2]}.${dice[3]}.${dice[4]}` },
    ...{ ClientRequestHost: "www.example.com", ClientRequestMethod: "GET", ClientRequestProtocol: "HTTP/2" },
    ClientRequestPath: `/product/${dice.readUInt16LE(5)}`,
    ClientRequestUserAgent: `Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${100 + (dice[7]! % 40)}.0.0.0 Safari/537.36`,
    EdgeResponseStatus: 200,
    JA4: ja4Of(dice.readUInt16LE(8) % FINGERPRINTS),
    RayID: createHash("md5").update(`${nth}/${i}`).digest("hex").slice(0, 16),
    WorkerSubrequest: false,
  };
  return `{"EdgeStartTimestamp":${ms}${String(i % 1_000_000).padStart(6, "0")},${JSON.stringify(record).slice(1)}\n`;
}

/** Begins the peak anew (proc_pid_clear_refs(5)). */
function forgetPeak(pid: number | undefined): void {
  if (pid !== undefined && process.platform === "linux") writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

/** Most memory that the process held (proc_pid_status(5), VmHWM); 0 outside Linux. */
function peakMb(pid: number | undefined): number {
  if (pid === undefined || process.platform !== "linux") return 0;
  const kib = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kib ?? 0) / 1_000;
}

function wrongAnswers(samples: Samples): string[] {
  return [...samples].flatMap(([name, runs]) =>
    runs.flatMap(({ missing }) => (missing === 0 ? [] : [`${name}: ${missing} records were not accepted`])),
  );
}
