/**
 * Seeded traffic for the contract tests. The same seed and `now` give the same observations; the shapes follow
 * the table of observation fields in the contract, with absent fields (`absent`, `null`, `""`) at random.
 */

export interface Observation {
  readonly timestamp: number | string;
  readonly ja4?: string | null;
  readonly client_ip?: string | null;
  readonly user_agent?: string | null;
  readonly path?: string | null;
  readonly host?: string | null;
  readonly method?: string | null;
  readonly asn?: number | null | "";
  readonly http_protocol?: string | null;
  readonly status?: number | null | "";
  readonly cache_status?: string | null;
  readonly bot_score?: number | null | "";
  readonly bot_score_src?: string | null;
  readonly detection_ids?: readonly number[] | Record<string, never> | null | "";
  readonly verified_bot?: boolean | null | "";
  readonly ja4_signals?: Readonly<Record<string, unknown>> | null | "";
  readonly ray_id?: string | null;
}

export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** Uniform integer in [0, below). */
  int(below: number): number;
  pick<T>(items: readonly T[]): T;
  hex(digits: number): string;
  /** Poisson by Knuth's product; for means below a few hundred. */
  poisson(mean: number): number;
  shuffle<T>(items: readonly T[]): T[];
}

/** mulberry32: 32 bits of state, enough for tests and short enough to be read. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  const int = (below: number): number => Math.floor(next() * below);
  return {
    next,
    int,
    pick: <T>(items: readonly T[]): T => items[int(items.length)] as T,
    hex: (digits) => Array.from({ length: digits }, () => int(16).toString(16)).join(""),
    poisson(mean) {
      const limit = Math.exp(-mean);
      let count = 0;
      for (let product = next(); product > limit; product *= next()) count += 1;
      return count;
    },
    shuffle<T>(items: readonly T[]): T[] {
      const copy = [...items];
      for (let i = copy.length - 1; i > 0; i -= 1) {
        const j = int(i + 1);
        [copy[i], copy[j]] = [copy[j] as T, copy[i] as T];
      }
      return copy;
    },
  };
}

export const BROWSER_AGENTS = [
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
  "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
  "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
] as const;

const OTHER_AGENTS = [
  "curl/8.5.0",
  "python-requests/2.32.3",
  "Go-http-client/2.0",
  "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
  "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/116.0.1938.76 Safari/537.36",
] as const;

const PROTOCOLS = ["HTTP/1.0", "HTTP/1.1", "HTTP/2", "http/2.0", "HTTP/3", "Http/3.0", "SPDY/3"] as const;
const CACHE_STATUSES = [
  ..."hit miss expired updating stale revalidated stream_hit deferred".split(" "),
  ..."DYNAMIC bypass Ignored HIT none unknown".split(" "),
];
const STATUSES = [200, 200, 200, 204, 301, 304, 399, 400, 401, 404, 429, 500, 599, 100] as const;
const SOURCES = [
  "Heuristics",
  "heuristics",
  "Machine Learning",
  "Verified Bot",
  "Not Computed",
  "JS Fingerprinting",
] as const;

/** Cloudflare's own published example and relatives, so that ranks and quantiles agree on a population. */
function signalsOf(random: Random): Record<string, number> {
  const population = 902_000;
  const rank = 1 + random.int(50_000);
  return {
    h2h3_ratio_1h: random.next(),
    browser_ratio_1h: random.next(),
    reqs_rank_1h: rank,
    reqs_quantile_1h: 1 - rank / population,
  };
}

interface Client {
  readonly ja4: string;
  readonly agents: readonly string[];
  readonly ipPool: number;
  readonly pathPool: number;
  readonly signals?: Record<string, number>;
}

function clientOf(random: Random, rank: number): Client {
  const browser = random.next() < 0.6;
  const pool = browser ? BROWSER_AGENTS : OTHER_AGENTS;
  const busy = rank < 8;
  return {
    ja4: `${random.pick(["t13d1516h2", "t12i0303h1", "q13d0312h3", "d13d2500dt"])}_${random.hex(12)}_${random.hex(12)}`,
    agents:
      random.next() < 0.3 ? [...BROWSER_AGENTS, ...OTHER_AGENTS] : [random.pick(pool), random.pick(pool)],
    ipPool: busy ? 2_500 : 1 + random.int(60),
    pathPool: busy ? 900 : 1 + random.int(40),
    ...(random.next() < 0.3 ? { signals: signalsOf(random) } : {}),
  };
}

/** One of `pool` addresses; every IPv6 one stands for its /64 and comes in several spellings. */
function addressOf(random: Random, pool: number): string {
  const n = random.int(pool);
  if (n % 3 !== 0) return `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`;
  const net = n.toString(16);
  const low = Array.from({ length: 4 }, () => (1 + random.int(65_535)).toString(16)).join(":");
  const spellings = [
    `2001:db8:7:${net}:${low}`,
    `2001:0DB8:0007:${net.padStart(4, "0").toUpperCase()}:${low}`,
    `2001:db8:7:${net}::${low.split(":")[0]}`,
  ];
  return random.pick(spellings);
}

export interface TrafficOptions {
  readonly seed: number;
  readonly now: number;
  readonly fingerprints: number;
  readonly observations: number;
}

export interface Traffic {
  readonly fingerprints: readonly string[];
  /** In no order of time. */
  readonly observations: readonly Observation[];
}

/** No timestamp lies on a whole second, so no slot boundary of any grain is ambiguous. */
function timestampOf(random: Random, now: number): number {
  const newest = now - 1_500;
  const recent = random.next() < 0.35;
  const age = random.next() * (recent ? 6 * 60_000 : 57 * 60_000);
  const timestamp = Math.floor(newest - age);
  return timestamp % 1_000 === 0 ? timestamp + 1 : timestamp;
}

export function makeTraffic(options: TrafficOptions): Traffic {
  const random = createRandom(options.seed);
  const clients = Array.from({ length: options.fingerprints }, (_, rank) => clientOf(random, rank));
  const weights = zipf(options.fingerprints);
  const observations: Observation[] = [];
  for (let i = 0; i < options.observations; i += 1) {
    // The first ones give every fingerprint at least one observation.
    const client = clients[i < clients.length ? i : sample(random, weights)] as Client;
    observations.push(observationOf(random, client, timestampOf(random, options.now), i));
  }
  const withJa4 = observations.filter((one) => one.ja4).map((one) => one.ja4 as string);
  return { fingerprints: [...new Set(withJa4)].sort(), observations };
}

function observationOf(random: Random, client: Client, timestamp: number, index: number): Observation {
  const draft: Record<string, unknown> = {
    client_ip: addressOf(random, client.ipPool),
    user_agent: random.pick(client.agents),
    path: `/p/${random.int(client.pathPool)}`,
    host: `h${random.int(4)}.example.com`,
    method: random.pick(["GET", "POST", "HEAD"]),
    asn: random.pick([0, 13_335, 64_500, 4_294_967_295]),
    http_protocol: random.pick(PROTOCOLS),
    status: random.pick(STATUSES),
    cache_status: random.pick(CACHE_STATUSES),
    bot_score: random.int(100),
    bot_score_src: random.pick(SOURCES),
    detection_ids: random.pick([[], {}, [152_120_193], [33_554_817, 7]]),
    verified_bot: random.next() < 0.1,
    ray_id: random.hex(16),
  };
  for (const field of Object.keys(draft)) {
    if (random.next() < 0.2) {
      const absent = random.pick(["absent", null, ""] as const);
      if (absent === "absent") delete draft[field];
      else draft[field] = absent;
    }
  }
  if (client.signals && random.next() < 0.5) draft.ja4_signals = { ...client.signals, unknown_signal: 1 };
  const withoutJa4 = index >= 1_000 && random.next() < 0.03;
  return {
    timestamp: random.next() < 0.3 ? new Date(timestamp).toISOString() : timestamp,
    ...(withoutJa4 ? random.pick([{}, { ja4: null }, { ja4: "" }]) : { ja4: client.ja4 }),
    ...draft,
  };
}

function zipf(count: number): number[] {
  const raw = Array.from({ length: count }, (_, i) => 1 / (i + 1));
  const total = raw.reduce((sum, weight) => sum + weight, 0);
  return raw.map((weight) => weight / total);
}

function sample(random: Random, weights: readonly number[]): number {
  let left = random.next();
  for (let i = 0; i < weights.length; i += 1) {
    left -= weights[i] as number;
    if (left < 0) return i;
  }
  return weights.length - 1;
}

/** A background of Poisson visitors with Zipf volumes; minute by minute, in order of time. */
export function makeBackground(options: {
  readonly seed: number;
  readonly from: number;
  readonly to: number;
  readonly fingerprints: readonly string[];
  readonly perMinute: number;
}): Observation[] {
  const random = createRandom(options.seed);
  const weights = zipf(options.fingerprints.length);
  const minutes = (options.to - options.from) / 60_000;
  const observations: Observation[] = [];
  options.fingerprints.forEach((ja4, rank) => {
    const agent = random.pick([...BROWSER_AGENTS, "curl/8.5.0"]);
    const ips = 2 + random.int(40);
    for (let minute = 0; minute < minutes; minute += 1) {
      const count = random.poisson((weights[rank] as number) * options.perMinute);
      for (let i = 0; i < count; i += 1) {
        const timestamp = Math.floor(options.from + (minute + random.next()) * 60_000);
        if (timestamp < options.to) observations.push(visit(random, ja4, agent, ips, timestamp));
      }
    }
  });
  return observations.sort((a, b) => Number(a.timestamp) - Number(b.timestamp));
}

function visit(random: Random, ja4: string, agent: string, ips: number, timestamp: number): Observation {
  return {
    timestamp,
    ja4,
    client_ip: `10.1.${rankByte(ja4)}.${random.int(ips)}`,
    user_agent: agent,
    path: `/page/${random.int(30)}`,
    host: "www.example.com",
    method: "GET",
    asn: 64_496 + random.int(4),
    http_protocol: "HTTP/2",
    status: random.next() < 0.03 ? 404 : 200,
    cache_status: random.next() < 0.4 ? "hit" : "dynamic",
    ray_id: random.hex(16),
  };
}

function rankByte(ja4: string): number {
  return Number.parseInt(ja4.slice(-2), 16);
}
