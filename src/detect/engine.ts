/**
 * One tick of detection over one shard's fingerprints: every enabled kind is prepared once, tests the fingerprints
 * that had a request in the filling minute or the one before (late data), and every running episode moves on. An
 * older minute raises nothing. No clock, no storage: the same input gives the same output.
 */
import { MINUTE_MS } from "../config.ts";
import { advance, type Cleared } from "./episode.ts";
import { ageMinutes, bornHere, NEWBORN_MINUTES } from "./history.ts";
import { botShift } from "./kinds/bot-shift.ts";
import { cacheBust } from "./kinds/cache-bust.ts";
import { divergence } from "./kinds/divergence.ts";
import { errorBurst } from "./kinds/error-burst.ts";
import { familySwarm } from "./kinds/family-swarm.ts";
import { ipSpread } from "./kinds/ip-spread.ts";
import { newcomer } from "./kinds/newcomer.ts";
import { pathScan } from "./kinds/path-scan.ts";
import { surge } from "./kinds/surge.ts";
import { uaRotation } from "./kinds/ua-rotation.ts";
import type {
  Episode,
  EpisodeEvent,
  GroupKind,
  Kind,
  KindName,
  KindSettings,
  Site,
  Subject,
  Verdict,
} from "./types.ts";

/** All built-in kinds. */
export const ALL_KINDS: readonly (Kind | GroupKind)[] = [
  ...[surge, newcomer, divergence, uaRotation, pathScan, errorBurst, cacheBust, ipSpread, botShift],
  familySwarm,
];

export interface DetectInput {
  site: Site;
  settings: Record<KindName, KindSettings>;
  /** Running episodes by `episodeKey`. */
  episodes: ReadonlyMap<string, Episode>;
  /** Recent clears by `episodeKey`. */
  cleared: ReadonlyMap<string, Cleared>;
  cooldownMs: number;
  newId: () => string;
  /** Whether a silence covers this; absent = none does. */
  isSilenced?: (ja4: string, kind: KindName) => boolean;
  kinds?: readonly (Kind | GroupKind)[];
}

export interface DetectOutput {
  episodes: Map<string, Episode>;
  cleared: Map<string, Cleared>;
  /** By kind, then fingerprint. */
  events: EpisodeEvent[];
  /** Raises that a cooldown held back, each counted once. */
  suppressed: number;
}

export function episodeKey(kind: KindName, ja4: string): string {
  return `${kind} ${ja4}`;
}

/** Whether a kind has seen enough of the site to speak. */
function isWarm(kind: Kind | GroupKind, site: Site): boolean {
  return site.asOfMs - site.firstDataMs >= kind.warmUpMs;
}

export function detect(input: DetectInput): DetectOutput {
  const kinds = input.kinds ?? ALL_KINDS;
  const found = testAll(input, kinds);
  const output: DetectOutput = {
    episodes: new Map(),
    cleared: freshClears(input),
    events: [],
    suppressed: 0,
  };
  for (const { name } of kinds) {
    const verdicts = found.verdicts.get(name);
    const fingerprints = new Set(verdicts?.keys());
    for (const episode of input.episodes.values()) if (episode.kind === name) fingerprints.add(episode.ja4);
    for (const ja4 of [...fingerprints].sort())
      step(input, output, name, ja4, verdicts?.get(ja4), found.seenAtMs.get(ja4));
  }
  return output;
}

interface Found {
  verdicts: Map<KindName, Map<string, Verdict>>;
  seenAtMs: Map<string, number>;
}

function testAll({ site, settings, episodes }: DetectInput, kinds: readonly (Kind | GroupKind)[]): Found {
  const awake = kinds.filter((kind) => settings[kind.name].enabled && isWarm(kind, site));
  const tests = awake
    .filter((kind) => "prepare" in kind)
    .map((kind) => ({ name: kind.name, test: kind.prepare(site, settings[kind.name]) }));
  const running = new Set([...episodes.values()].map(({ ja4 }) => ja4));
  const found: Found = { verdicts: new Map(awake.map(({ name }) => [name, new Map()])), seenAtMs: new Map() };
  const groups = awake.filter((kind) => "groups" in kind);
  for (const kind of groups) testGroups(found, kind, site, settings[kind.name]);
  // A swarm is told once: its members are no newcomers of their own while it runs.
  const swarms = groups.flatMap((kind) => {
    const globs = new Set(found.verdicts.get(kind.name)?.keys());
    for (const { kind: name, ja4 } of episodes.values()) if (name === kind.name) globs.add(ja4);
    return [...globs].map((glob) => (ja4: string) => kind.covers(glob, ja4));
  });
  const swarmSpeaks = ({ ja4 }: Subject) =>
    swarms.some((covers) => covers(ja4)) && !episodes.has(episodeKey("newcomer", ja4));
  if (tests.length === 0 && running.size === 0) return found;
  const withNewcomer = tests.some(({ name }) => name === "newcomer");
  // A newborn's flood is told once: surge leaves it to newcomer while that is awake.
  const newcomerSpeaks = (subject: Subject, minute: number) =>
    withNewcomer &&
    (episodes.has(episodeKey("newcomer", subject.ja4)) ||
      (bornHere(subject, site) && ageMinutes(subject, minute) <= NEWBORN_MINUTES));
  for (const subject of site.subjects()) {
    if (running.size > 0 && running.has(subject.ja4)) noteSeen(found, subject, site);
    for (const minute of [site.minuteNow - 1, site.minuteNow]) {
      if (subject.reqs(minute) === 0) continue;
      for (const { name, test } of tests) {
        if (name === "surge" && newcomerSpeaks(subject, minute)) continue;
        if (name === "newcomer" && swarms.length > 0 && swarmSpeaks(subject)) continue;
        const verdict = test(subject, minute);
        const verdicts = found.verdicts.get(name);
        if (verdict !== undefined) verdicts?.set(subject.ja4, stronger(verdicts.get(subject.ja4), verdict));
      }
    }
  }
  return found;
}

/** What groups do; a group was last seen in the newest minute that shows it. */
function testGroups(found: Found, kind: GroupKind, site: Site, settings: KindSettings): void {
  const verdicts = found.verdicts.get(kind.name);
  for (const minute of [site.minuteNow - 1, site.minuteNow]) {
    for (const { ja4, verdict } of kind.groups(site, settings, minute)) {
      verdicts?.set(ja4, stronger(verdicts.get(ja4), verdict));
      found.seenAtMs.set(ja4, Math.min((minute + 1) * MINUTE_MS, site.asOfMs));
    }
  }
}

/** Of the two minutes under test the one that says more. */
function stronger(a: Verdict | undefined, b: Verdict): Verdict {
  if (a === undefined) return b;
  const rank = (verdict: Verdict) => (verdict.on ? 200 : verdict.hold ? 100 : 0) + verdict.score;
  if (rank(a) === rank(b)) return b.observed >= a.observed ? b : a;
  return rank(a) > rank(b) ? a : b;
}

/** When it last had a request, to the minute: counts have no finer time. */
function noteSeen(found: Found, subject: Subject, site: Site): void {
  for (let minute = site.minuteNow; minute > site.minuteNow - 6; minute--) {
    if (subject.reqs(minute) === 0) continue;
    found.seenAtMs.set(subject.ja4, Math.min((minute + 1) * MINUTE_MS, site.asOfMs));
    return;
  }
}

function step(
  input: DetectInput,
  output: DetectOutput,
  kind: KindName,
  ja4: string,
  verdict: Verdict | undefined,
  seenAtMs: number | undefined,
): void {
  const key = episodeKey(kind, ja4);
  const moved = advance(input.episodes.get(key), verdict, {
    kind,
    ja4,
    nowMs: input.site.asOfMs,
    seenAtMs,
    enabled: input.settings[kind].enabled,
    cooldownMs: input.cooldownMs,
    cleared: output.cleared.get(key),
    newId: input.newId,
    isSilenced: () => input.isSilenced?.(ja4, kind) ?? false,
  });
  if (moved.episode !== undefined) output.episodes.set(key, moved.episode);
  if (moved.cleared !== undefined) output.cleared.set(key, moved.cleared);
  if (moved.suppressed) output.suppressed++;
  output.events.push(...moved.events);
}

/** Clears whose cooldown is not over; older ones are forgotten. */
function freshClears({ cleared, cooldownMs, site }: DetectInput): Map<string, Cleared> {
  return new Map([...cleared].filter(([, { atMs }]) => site.asOfMs < atMs + cooldownMs));
}
