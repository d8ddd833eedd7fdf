/** The fingerprints of an evaluated site: who they are and how they behave when nothing is wrong. */
import { BACKGROUND } from "../../../evaluation/parameters.ts";
import { HOUR_MS, MINUTE_MS } from "../../../src/config.ts";
import type { GlobalSignals } from "../../../src/signals/global.ts";
import { BROWSERS, type Family } from "../../../src/simulate/agents.ts";
import { clientOf } from "../../../src/simulate/clients.ts";
import { Dice } from "./dice.ts";
import { hasRealCounts, RealLevel } from "./real-counts.ts";

export type Group = keyof typeof BACKGROUND.pools;
const SCRIPTS: readonly Family[] = ["python", "go", "tool"];
const HOUR_MINUTES = HOUR_MS / MINUTE_MS;
const DAY_MINUTES = 24 * HOUR_MINUTES;

/** Fronts of made-up fingerprints, by what the family speaks. */
const FRONTS: Partial<Record<Family, string>> = {
  http3: "q13d0312h3_55b375c5d22e_",
  firefox: "t13d1715h2_5b57614c22b0_",
  safari: "t13d2014h2_a09f3c656075_",
  python: "t13d1811h1_e8f1e7e78f70_",
  go: "t13d1311h2_f57a46bbacb6_",
  tool: "t13d3112h1_e8f1e7e78f70_",
  app: "t13d1613h2_46e7e9700bed_",
  crawler: "t13d1812h1_85036bcba153_",
  monitor: "t13d4312h1_c7886603b240_",
};
const FRONT_DEFAULT = "t13d1516h2_8daaf6152771_";

/** One of them. Mutable: it lives minute by minute. */
export interface Member {
  ja4: string;
  family: Family;
  group: Group;
  /** Requests a minute, on average. */
  rate: number;
  phi: number;
  /** Usual shares of yes, in the order of RATIOS. */
  ratios: number[];
  global: GlobalSignals | undefined;
  /** Follows real counts; absent = the simulator's gamma noise. */
  real: RealLevel | undefined;
  /** Logarithm of its wandering level; a steady one does not wander. */
  drift: number;
  isSteady?: boolean;
  /** Requests of the minute before whose session goes on. */
  spill: number;
  /** Of those that come and go: minute of birth, and from when it is silent; −∞ and ∞ of the others. */
  bornMinute: number;
  goneMinute: number;
}

export interface SiteOptions {
  seed: number;
  fingerprints: number;
  /** Nothing of it can be cached. */
  apiOnly?: boolean;
  /** Which background: half of the fingerprints each, unless it says one or there are no real counts. */
  only?: "synthetic" | "real";
}

function groupOf(family: Family): Group {
  if (BROWSERS.includes(family)) return "browser";
  return SCRIPTS.includes(family) ? "script" : (family as Group);
}

function shifted(share: number, logits: number): number {
  return 1 / (1 + Math.exp(-Math.log(share / (1 - share)) - logits));
}

/** A member of this rate; its name is drawn. */
export function memberOf(dice: Dice, family: Family, rate: number, options: SiteOptions): Member {
  const group = groupOf(family);
  const ja4 = (FRONTS[family] ?? FRONT_DEFAULT) + dice.hex(12);
  const client = clientOf(options.seed, ja4, family, { reqsPerMinute: rate });
  const ratios = [client.h2h3, ...BACKGROUND.ratios[group]].map((share) =>
    shifted(share, BACKGROUND.ratioScatter * dice.normal()),
  );
  if (options.apiOnly === true) ratios[4] = BACKGROUND.apiOnlyCache;
  const values = client.signals;
  return {
    ...{ ja4, family, group, rate, ratios },
    phi: BACKGROUND.phiMax * dice.uniform(),
    global: values === undefined || Object.keys(values).length === 0 ? undefined : { seenAtMs: 0, values },
    real: undefined,
    drift: BACKGROUND.drift.sd * dice.normal(),
    spill: 0,
    bornMinute: Number.NEGATIVE_INFINITY,
    goneMinute: Number.POSITIVE_INFINITY,
  };
}

/** All of a site, busiest first; the last ones come and go. */
export function membersOf(options: SiteOptions, dice: Dice): Member[] {
  const { fingerprints, only } = options;
  const families = Object.entries(BACKGROUND.families) as [Family, number][];
  let harmonic = 0;
  for (let rank = 1; rank <= fingerprints; rank++) harmonic += 1 / rank;
  const total = BACKGROUND.reqsPerFingerprint * fingerprints;
  const members = Array.from({ length: fingerprints }, (_, rank) => {
    const rate = Math.min(total / harmonic / (rank + 1), BACKGROUND.rateMax);
    const member = memberOf(dice, dice.weighted(families), rate, options);
    const isReal = hasRealCounts() && (only === undefined ? rank % 2 === 1 : only === "real");
    if (isReal) member.real = new RealLevel(new Dice(options.seed, "real", rank));
    return member;
  });
  const { shareADay, staysHours } = BACKGROUND.turnover;
  const guests = Math.round((fingerprints * shareADay * staysHours) / 24);
  for (const member of members.slice(fingerprints - guests)) {
    // As busy as any other: the rates of those that come and go are not those of the tail.
    member.rate = members[dice.int(fingerprints)]!.rate;
    member.real = undefined;
    member.goneMinute = dice.int(staysHours * HOUR_MINUTES);
  }
  return members;
}

/** Whoever is gone for longer than the hour comes back as somebody else. `minute` counts from the site's start. */
export function turnOver(member: Member, minute: number, dice: Dice, options: SiteOptions): void {
  const stays = BACKGROUND.turnover.staysHours * HOUR_MINUTES;
  if (minute < member.goneMinute + HOUR_MINUTES + 1 + dice.int(HOUR_MINUTES)) return;
  const next = memberOf(dice, member.family, member.rate, options);
  Object.assign(member, next, { bornMinute: minute, goneMinute: minute + stays });
}

/** What a day's and a week's shape make of the usual rate. */
export function levelAt(minute: number): number {
  const { dailySwing, peakHour, weekendLevel } = BACKGROUND;
  const phase = (2 * Math.PI * (minute - peakHour * HOUR_MINUTES)) / DAY_MINUTES;
  // 1 January 1970 was a Thursday.
  const weekday = (Math.floor(minute / DAY_MINUTES) + 4) % 7;
  return (1 + dailySwing * Math.cos(phase)) * (weekday === 0 || weekday === 6 ? weekendLevel : 1);
}
