/** The attacks: what their requests look like and what should be said of them. */
import { ATTACKS, SCENARIOS } from "../../../evaluation/parameters.ts";
import { MINUTE_MS, SECOND_MS } from "../../../src/config.ts";
import type { Family } from "../../../src/simulate/agents.ts";
import {
  FACTS,
  NEW_IPS,
  NEW_PATHS,
  NEW_UAS,
  REQS,
  TALLY_WIDTH,
  type Tally,
} from "../../../src/window/tally.ts";
import { RATIO_INDEX, RATIOS, type Ratio } from "../../../src/wire/flags.ts";
import type { Dice } from "./dice.ts";
import type { Member } from "./members.ts";

export type ScenarioName = keyof typeof SCENARIOS;
export const SCENARIO_NAMES = Object.keys(SCENARIOS) as ScenarioName[];

/** The truth about one attack. */
export interface Label {
  scenario: ScenarioName;
  /** A `*` at the end stands for any. */
  ja4: string;
  startMs: number;
  endMs: number;
}

interface Truth {
  /** Families whose fingerprints turn bad; none = nobody had seen the fingerprint. */
  families: readonly Family[];
  /** Kinds that must be raised, whether they exist or not. */
  expects: readonly string[];
  /** Kinds that are true as well. */
  also: readonly string[];
  /** Shares of yes that are not the fingerprint's own. */
  ratios: Partial<Record<Ratio, number>>;
}

const SCRIPTS: readonly Family[] = ["python", "go", "tool"];
/** True of any loud attack by a known fingerprint; its requests are for what no cache holds, but where a scenario says else. */
const LOUD = ["surge", "slow_surge", "ip_spread", "divergence", "rank_shift", "rare_here_hot", "cache_bust"];

export const TRUTH: Record<ScenarioName, Truth> = {
  stuffing_loud: {
    families: SCRIPTS,
    expects: ["surge", "error_burst", "ip_spread"],
    also: LOUD,
    ratios: { cache: 0 },
  },
  stuffing_spread: {
    families: SCRIPTS,
    expects: ["surge", "divergence"],
    also: [...LOUD, "error_burst"],
    ratios: { cache: 0 },
  },
  slow_low: {
    families: SCRIPTS,
    expects: ["slow_surge"],
    also: [...LOUD, "error_burst"],
    ratios: { cache: 0 },
  },
  scraping: {
    families: SCRIPTS,
    expects: ["path_scan", "divergence"],
    also: LOUD,
    ratios: { cache: 0.05 },
  },
  flood: {
    families: SCRIPTS,
    expects: ["surge"],
    also: [...LOUD, "path_scan"],
    ratios: { cache: 0 },
  },
  vulnerability_scan: {
    families: SCRIPTS,
    expects: ["path_scan", "error_burst"],
    also: LOUD,
    ratios: { cache: 0 },
  },
  ua_rotation: { families: SCRIPTS, expects: ["ua_rotation"], also: LOUD, ratios: {} },
  impostor: {
    families: ["chromium"],
    expects: ["impostor", "divergence"],
    also: [...LOUD, "bot_shift"],
    ratios: { h2h3: 0, browser: 0.02, bot: 0.97, cache: 0 },
  },
  ja4_randomised: { families: [], expects: ["family_swarm"], also: [], ratios: {} },
  newcomer_flood: {
    families: [],
    expects: ["newcomer"],
    also: ["rare_here_hot", "divergence", "family_swarm"],
    ratios: {},
  },
};

/** What a fingerprint that nobody has seen shows, in the order of RATIOS. */
const STRANGER = [0.9, 0.05, 0.05, 0.9, 0.1, 0.02];
/** A flood is at its height after so long. */
const RAMP_MS = 10 * SECOND_MS;

export function durationMs(scenario: ScenarioName): number {
  return SCENARIOS[scenario].minutes * MINUTE_MS;
}

/** A raise counts for an attack from its start to a while after its end. */
export function covers(label: Label, ja4: string, atMs: number): boolean {
  const { startMs, endMs } = label;
  if (atMs < startMs || atMs > endMs + ATTACKS.graceMinutes * MINUTE_MS) return false;
  return label.ja4.endsWith("*") ? ja4.startsWith(label.ja4.slice(0, -1)) : ja4 === label.ja4;
}

/** Fills `tally` with what an attack sends in [fromMs, toMs). `member`: whose fingerprint it has, if it is known here. */
export function attackTally(
  label: Label,
  member: Member | undefined,
  { fromMs, toMs }: { fromMs: number; toMs: number },
  dice: Dice,
  tally: Tally = new Uint32Array(TALLY_WIDTH),
): Tally {
  const { times, floor, error, newIp, newUa, newPath } = SCENARIOS[label.scenario];
  tally.fill(0);
  const from = Math.max(fromMs, label.startMs);
  const to = Math.min(toMs, label.endMs);
  if (to <= from) return tally;
  const perMs =
    Math.max(times * (member?.rate ?? 0) - (times > 0 ? (member?.rate ?? 0) : 0), floor) / MINUTE_MS;
  const ramp = label.scenario === "flood" ? Math.min((to - label.startMs) / RAMP_MS, 1) : 1;
  const reqs = dice.poisson(perMs * (to - from) * ramp);
  tally[REQS] = reqs;
  const own = member?.ratios ?? STRANGER;
  const { ratios } = TRUTH[label.scenario];
  for (const name of RATIOS) {
    const ratio = RATIO_INDEX[name];
    const share = name === "error" ? error : (ratios[name] ?? own[ratio]!);
    tally[FACTS + 2 * ratio] = reqs;
    tally[FACTS + 2 * ratio + 1] = dice.binomial(reqs, share);
  }
  tally[NEW_IPS] = dice.binomial(reqs, newIp);
  tally[NEW_UAS] = dice.binomial(reqs, newUa);
  tally[NEW_PATHS] = dice.binomial(reqs, newPath);
  return tally;
}
