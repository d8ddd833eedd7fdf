/** The site's fingerprints: who they are, how much they send, from where, and what the world says of them. */
import { agentsOf, BROWSERS, type Family, type WeightedAgents } from "./agents.ts";
import {
  APPS,
  CHROMIUM,
  CRAWLERS,
  FIREFOX,
  GO,
  HEADS,
  HTTP3,
  MONITORS,
  PYTHON,
  SAFARI,
  TOOLS,
} from "./ja4-table.ts";
import { CLOUDS, EYEBALLS } from "./networks.ts";
import { Draw } from "./random.ts";
import type { WorldSignals } from "./record.ts";
import { worldSignals } from "./world.ts";

export interface Client {
  readonly ja4: string;
  readonly family: Family;
  readonly reqsPerMinute: number;
  /** Variance of its rate from minute to minute, over the square of its mean. */
  readonly phi: number;
  readonly agents: WeightedAgents;
  readonly asns: readonly number[];
  /** Usual share of HTTP/2 and HTTP/3. */
  readonly h2h3: number;
  readonly signals: WorldSignals | undefined;
}

export interface PopulationOptions {
  readonly seed: number;
  readonly fingerprints: number;
  readonly reqsPerMinute: number;
}

const PHI_MIN = 0.01;
const PHI_MAX = 0.06;

/** Who can be made to attack: automated clients that are known here and busy enough to have a norm. */
export const SCRIPT_FAMILIES: readonly Family[] = ["python", "go", "tool"];

type Name = readonly [ja4: string, family: Family];

const named = (family: Family, list: readonly string[]): Name[] => list.map((ja4) => [ja4, family]);

/**
 * Busiest first: the few browsers that everybody has, then what runs by itself, then the long tail of browsers.
 * Which of the second and third group is busier than which depends on the seed.
 */
function namesOf(draw: Draw, count: number): Name[] {
  const [c0, c1, c2] = named("chromium", HEADS.chromium);
  const [s0, s1] = named("safari", HEADS.safari);
  const [q0, q1] = named("http3", HEADS.http3);
  const heads = [c0, s0, q0, c1, ...named("firefox", HEADS.firefox), q1, s1, c2].filter(
    (name) => name !== undefined,
  );
  const automated = draw.shuffle([
    ...named("python", PYTHON),
    ...named("go", GO),
    ...named("tool", TOOLS),
    ...named("app", APPS),
    ...named("crawler", CRAWLERS),
    ...named("monitor", MONITORS),
  ]);
  const tail = draw.shuffle([
    ...named("chromium", CHROMIUM),
    ...named("http3", HTTP3),
    ...named("firefox", FIREFOX),
    ...named("safari", SAFARI),
  ]);
  const names = [...heads, ...automated, ...tail];
  while (names.length < count) names.push([invented(draw), "chromium"]);
  return names.slice(0, count);
}

/** Beyond the real values: a Chromium with extensions that nobody has captured. */
function invented(draw: Draw): string {
  return `t13d1516h2_8daaf6152771_${draw.hex(12)}`;
}

/** By the application protocol that the fingerprint itself names (its last two letters of part a). */
function usualH2H3(ja4: string, family: Family): number {
  const alpn = ja4.slice(8, 10);
  if (alpn === "h3") return 0.995;
  if (alpn !== "h2") return 0.004;
  return BROWSERS.includes(family) ? 0.985 : 0.97;
}

/** Volumes by Zipf's law with exponent 1. */
export function population(options: PopulationOptions): Client[] {
  const names = namesOf(new Draw(options.seed, "names"), options.fingerprints);
  const harmonic = names.reduce((sum, _, rank) => sum + 1 / (rank + 1), 0);
  return names.map(([ja4, family], rank) =>
    clientOf(options.seed, ja4, family, {
      reqsPerMinute: options.reqsPerMinute / harmonic / (rank + 1),
      head: rank < 8,
    }),
  );
}

/** One client, as far as possible the same under every seed of the same fingerprint. */
export function clientOf(
  seed: number,
  ja4: string,
  family: Family,
  {
    reqsPerMinute,
    head = false,
    complete = false,
  }: { reqsPerMinute: number; head?: boolean; complete?: boolean },
): Client {
  const draw = new Draw(seed, "client", ja4);
  const browser = BROWSERS.includes(family) || family === "app";
  const h2h3 = usualH2H3(ja4, family);
  return {
    ja4,
    family,
    reqsPerMinute,
    phi: draw.between(PHI_MIN, PHI_MAX),
    agents: agentsOf(family, draw),
    asns: browser ? EYEBALLS : [draw.pick(CLOUDS), draw.pick(CLOUDS)],
    h2h3,
    signals: worldSignals(family, h2h3, draw, { head, complete }),
  };
}
