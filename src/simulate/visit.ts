/**
 * One visit: what a person or a program does from its first request to its last. A browser's page brings its assets
 * and calls, a script fetches, an app calls the API, a crawler walks, a monitor knocks once.
 */
import { BROWSERS, type Family, HEADLESS_AGENT } from "./agents.ts";
import type { Client } from "./clients.ts";
import { address } from "./networks.ts";
import { apiCall, asset, crawled, type Hit, page, ping } from "./pages.ts";
import type { Draw } from "./random.ts";
import type { ObservationRecord } from "./record.ts";

/** No visit lasts longer, so that two minutes back are all that one must look at. */
export const VISIT_MAX_MS = 115_000;
/** Visits whose fingerprint the edge does not know: plain HTTP, mostly. */
const WITHOUT_JA4_SHARE = 0.015;
/** Of a browser fingerprint's visits: test drivers, previews, things that are no browser. */
const HEADLESS_SHARE = 0.05;

interface Timed {
  atMs: number;
  hit: Hit;
}

/** Requests of an average visit; `test/unit/simulate.test.ts` holds them to what `steps` makes. */
const VISIT_REQS: Partial<Record<Family, number>> = {
  python: 3,
  go: 3,
  tool: 3,
  app: 5,
  crawler: 8,
  monitor: 1,
};
const BROWSER_VISIT_REQS = 13.36;

export function visitRequests(family: Family): number {
  return VISIT_REQS[family] ?? BROWSER_VISIT_REQS;
}

function steps(family: Family, draw: Draw): Timed[] {
  switch (family) {
    case "python":
    case "go":
    case "tool":
      return spaced(1 + draw.poisson(2), 300, 1_500, draw, () =>
        draw.chance(0.6) ? page(draw) : apiCall(draw),
      );
    case "app":
      return spaced(1 + draw.poisson(4), 200, 5_000, draw, () => apiCall(draw));
    case "crawler":
      return spaced(1 + draw.poisson(7), 800, 4_000, draw, () => crawled(draw));
    case "monitor":
      return [{ atMs: 0, hit: ping(draw) }];
    default:
      return browse(draw);
  }
}

function spaced(count: number, minMs: number, maxMs: number, draw: Draw, hit: () => Hit): Timed[] {
  let atMs = 0;
  return Array.from({ length: count }, () => {
    atMs += draw.between(minMs, maxMs);
    return { atMs, hit: hit() };
  });
}

/** Pages with a pause to read; the first one fills the browser's cache. */
function browse(draw: Draw): Timed[] {
  const timed: Timed[] = [];
  const pages = 1 + draw.poisson(1.2);
  let atMs = 0;
  for (let i = 0; i < pages; i++) {
    timed.push({ atMs, hit: page(draw) });
    const assets = i === 0 ? 3 + draw.poisson(4) : draw.poisson(2);
    for (let j = 0; j < assets; j++) timed.push({ atMs: atMs + draw.between(50, 1_500), hit: asset(draw) });
    const calls = draw.poisson(0.8);
    for (let j = 0; j < calls; j++) timed.push({ atMs: atMs + draw.between(200, 2_500), hit: apiCall(draw) });
    atMs += draw.between(4_000, 25_000);
  }
  return timed;
}

/** The records of one visit that begins at `startMs`. */
export function visit(client: Client, startMs: number, draw: Draw): ObservationRecord[] {
  const browser = BROWSERS.includes(client.family);
  const asn = draw.pick(client.asns);
  const ip = address(asn, draw);
  const agent = browser && draw.chance(HEADLESS_SHARE) ? HEADLESS_AGENT : draw.weighted(client.agents);
  const known = !draw.chance(WITHOUT_JA4_SHARE);
  const modern = draw.chance(client.h2h3);
  return steps(client.family, draw)
    .filter(({ atMs }) => atMs < VISIT_MAX_MS)
    .map(({ atMs, hit }) =>
      observe(client, hit, { timestamp: Math.floor(startMs + atMs), asn, ip, agent, known, modern }, draw),
    );
}

export interface Circumstances {
  timestamp: number;
  asn: number;
  ip: string;
  agent: string;
  /** The edge knows its JA4. */
  known: boolean;
  /** HTTP/2, or HTTP/3 over QUIC. */
  modern: boolean;
}

/** One request as the edge reports it. */
export function observe(
  client: Client,
  hit: Hit,
  { timestamp, asn, ip, agent, known, modern }: Circumstances,
  draw: Draw,
): ObservationRecord {
  const newest = client.ja4.startsWith("q") ? "HTTP/3" : "HTTP/2";
  return {
    timestamp,
    ...(known ? { ja4: client.ja4 } : {}),
    client_ip: ip,
    user_agent: agent,
    path: hit.path,
    host: hit.host,
    method: hit.method,
    asn,
    http_protocol: modern ? newest : "HTTP/1.1",
    status: hit.status,
    cache_status: hit.cache,
    ...score(client.family, agent, draw),
    ...(known && client.signals !== undefined ? { ja4_signals: client.signals } : {}),
    ray_id: draw.hex(16),
  };
}

type Score = Pick<ObservationRecord, "bot_score" | "bot_score_src" | "detection_ids" | "verified_bot">;

/** A real detection id of a script, from Cloudflare's public logs. */
const DETECTION_ID = 152_120_193;
/** Of automated clients, scored by heuristics rather than learning. */
const HEURISTIC_SHARE: Partial<Record<Family, number>> = { python: 0.15, go: 0.08, tool: 0.06 };

function score(family: Family, agent: string, draw: Draw): Score {
  const learned = (bot_score: number): Score => ({
    bot_score,
    bot_score_src: "Machine Learning",
    detection_ids: [],
    verified_bot: false,
  });
  if (family === "crawler") {
    return { bot_score: 1, bot_score_src: "Verified Bot", detection_ids: [], verified_bot: true };
  }
  if (BROWSERS.includes(family))
    return learned(agent === HEADLESS_AGENT ? 2 + draw.int(20) : 70 + draw.int(30));
  if (family === "app") return learned(30 + draw.int(50));
  if (draw.chance(HEURISTIC_SHARE[family] ?? 0)) {
    return { bot_score: 1, bot_score_src: "Heuristics", detection_ids: [DETECTION_ID], verified_bot: false };
  }
  return learned(2 + draw.int(27));
}
