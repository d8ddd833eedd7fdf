/** An hour of ordinary traffic, sent in order, and its live continuation while a test waits. */
import { type Client, ingestAll, ja4Of } from "../../support/client.ts";
import { timeOf } from "../../support/oracle.ts";
import { BROWSER_AGENTS, makeBackground, type Observation } from "../../support/oracle-traffic.ts";

export interface Background {
  readonly fingerprints: readonly string[];
  /** Sends what has become due, each 500 ms, until stopped. */
  live(): { stop(): Promise<void> };
}

const BACKFILL_MS = 59 * 60_000;
const LIVE_MS = 3 * 60_000;
const PIECE = 5_000;

export interface BackgroundOptions {
  readonly seed: number;
  readonly fingerprints: number;
  readonly perMinute: number;
  /** Changes each observation, for example to give it global signals. */
  readonly dress?: (observation: Observation) => Observation;
}

/** Back-fills `site`; resolves when all of the past is accepted. */
export async function backfill(
  client: Client,
  site: string,
  options: BackgroundOptions,
): Promise<Background> {
  const now = Date.now();
  const fingerprints = Array.from({ length: options.fingerprints }, (_, i) =>
    ja4Of(options.seed * 1_000 + i),
  );
  const all = makeBackground({
    seed: options.seed,
    from: now - BACKFILL_MS,
    to: now + LIVE_MS,
    fingerprints,
    perMinute: options.perMinute,
  }).map(options.dress ?? ((one) => one));
  let sent = 0;
  const sendDue = async (): Promise<void> => {
    const due = Date.now();
    let end = sent;
    while (end < all.length && timeOf(all[end] as Observation) <= due) end += 1;
    const records = all.slice(sent, end);
    sent = end;
    for (let i = 0; i < records.length; i += PIECE) {
      await ingestAll(client, site, records.slice(i, i + PIECE), { gzip: true });
    }
  };
  await sendDue();
  return {
    fingerprints,
    live() {
      let running = true;
      const loop = (async () => {
        while (running) {
          await sendDue();
          await new Promise((resolve) => setTimeout(resolve, 500));
        }
      })();
      return {
        async stop() {
          running = false;
          await loop;
        },
      };
    },
  };
}

/** `count` requests within the last `spanMs`, ending now. */
export function burst(
  count: number,
  spanMs: number,
  over: (index: number) => Partial<Observation>,
): Observation[] {
  const now = Date.now();
  return Array.from({ length: count }, (_, i) => ({
    timestamp: Math.floor(now - spanMs + ((i + 1) / count) * spanMs) - 1,
    client_ip: `10.77.${i % 5}.${i % 200}`,
    user_agent: BROWSER_AGENTS[0],
    path: "/page/1",
    host: "www.example.com",
    method: "GET",
    asn: 64_500,
    http_protocol: "HTTP/2",
    status: 200,
    cache_status: "dynamic",
    ray_id: i.toString(16).padStart(16, "0"),
    ...over(i),
  }));
}
