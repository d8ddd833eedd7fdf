/** How fast the real server takes Logpush uploads in, and that a large one takes no more memory than a small one. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import type { Benchmark, Figure, Sample, Samples } from "../scripts/lib/bench/benchmark.ts";
import { readHolder } from "../scripts/lib/lock.ts";
import { ja4Of } from "../test/support/client.ts";
import { startServer } from "../test/support/server.ts";

/** Contract §3 allows a million. */
const RECORDS = 1_000_000;
const QUICK_RECORDS = 20_000;
/** Records of one gzip member: the upload is made without being held as text. */
const MEMBER_RECORDS = 10_000;
const FINGERPRINTS = 2_000;

export const logpush: Benchmark = {
  name: "logpush",
  about: "Logpush uploads: records a second, and memory that does not grow with them",
  open: async ({ quick }) => {
    const records = quick ? QUICK_RECORDS : RECORDS;
    const figure = (label: string, metric: string, unit: string): Figure => {
      return { label, metric, unit, variant: "whole", against: "quarter" };
    };
    return {
      series: [
        {
          name: `one upload of ${records} records, against one of a quarter of them`,
          rounds: quick ? 1 : 3,
          variants: [
            { name: "whole", run: () => upload(records) },
            { name: "quarter", run: () => upload(records / 4) },
          ],
          figures: [
            figure("records", "records_per_s", "1/s"),
            figure("gzip on the wire", "wire_mb", "MB"),
            figure("text", "text_mb", "MB"),
            figure("the engine's peak memory", "peak_mb", "MB"),
          ],
          check: wrongAnswers,
        },
      ],
      close: async () => undefined,
    };
  },
};

/** One upload to a fresh server. */
async function upload(records: number): Promise<Sample> {
  const server = await startServer({ sites: ["shop"] });
  try {
    const { body, textBytes } = made(records);
    const from = performance.now();
    const answer = await fetch(`${server.url}/v1/sites/shop/logpush`, {
      method: "POST",
      headers: { authorization: `Bearer ${server.token}` },
      body: Uint8Array.from(body),
    });
    const { accepted = 0 } = (await answer.json()) as { accepted?: number };
    const seconds = (performance.now() - from) / 1_000;
    return {
      ...{ records_per_s: records / seconds, wire_mb: body.length / 1e6, text_mb: textBytes / 1e6 },
      ...{ peak_mb: peakMb(readHolder(server.dir)?.engine?.pid), missing: records - accepted },
    };
  } finally {
    await server.stop();
  }
}

/** Requests of the last half hour as Cloudflare writes them, some 500 B each; the same for the same number. */
function made(records: number): { body: Buffer; textBytes: number } {
  const members: Buffer[] = [];
  let textBytes = 0;
  const fromMs = Date.now() - 1_800_000;
  for (let first = 0; first < records; first += MEMBER_RECORDS) {
    const count = Math.min(MEMBER_RECORDS, records - first);
    const text = Array.from({ length: count }, (_, i) => lineOf(first + i, fromMs, records)).join("");
    textBytes += text.length;
    members.push(gzipSync(text));
  }
  return { body: Buffer.concat(members), textBytes };
}

function lineOf(i: number, fromMs: number, records: number): string {
  const dice = createHash("md5").update(String(i)).digest();
  const record = {
    ...{ BotScore: 1 + (dice[0]! % 99), BotScoreSrc: "Machine Learning", CacheCacheStatus: "dynamic" },
    ...{ ClientASN: 64_500 + (dice[1]! % 40), ClientIP: `10.${dice[2]}.${dice[3]}.${dice[4]}` },
    ...{ ClientRequestHost: "www.example.com", ClientRequestMethod: "GET", ClientRequestProtocol: "HTTP/2" },
    ClientRequestPath: `/product/${dice.readUInt16LE(5)}`,
    ClientRequestUserAgent: `Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${100 + (dice[7]! % 40)}.0.0.0 Safari/537.36`,
    EdgeResponseStatus: 200,
    JA4: ja4Of(dice.readUInt16LE(8) % FINGERPRINTS),
    RayID: dice.toString("hex", 0, 8),
    WorkerSubrequest: false,
  };
  const ms = fromMs + Math.floor((i / records) * 1_700_000);
  return `{"EdgeStartTimestamp":${ms}${String(i % 1_000_000).padStart(6, "0")},${JSON.stringify(record).slice(1)}\n`;
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
