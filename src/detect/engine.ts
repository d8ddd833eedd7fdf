/**
 * One tick of detection over one shard's fingerprints: every enabled kind is prepared once, tests the fingerprints
 * that had a request in the filling minute or the one before (late data), and every running episode moves on. An
 * older minute raises nothing. No clock, no storage: the same input gives the same output.
 */
import { MINUTE_MS } from "../config.ts";
import type { Pulse } from "../signals/pulse.ts";
import { advance, type Cleared, episodeKey, isRemembered } from "./episode.ts";
import { ageMinutes, bornHere, NEWBORN_MINUTES } from "./history.ts";
import { GroupJudge, type Hearing, Judge } from "./judge.ts";
import { ALL_KINDS } from "./kinds/all.ts";
import { Memory } from "./memory.ts";
import { DEFAULT_DETECTION } from "./settings.ts";
import { crowdOf, pulseOf } from "./site/pulse.ts";
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

export interface DetectInput {
  site: Site;
  settings: Record<KindName, KindSettings>;
  /** Running episodes by `episodeKey`. */
  episodes: ReadonlyMap<string, Episode>;
  /** Recent clears by `episodeKey`. */
  cleared: ReadonlyMap<string, Cleared>;
  cooldownMs: number;
  newId: () => string;
  /** What was learned before; changed in place. Absent = nothing: every test is believed as it is. */
  memory?: Memory;
  /** Raises that all kinds together may have on a quiet day of this shard; absent = the default. */
  budgetPerDay?: number;
  /** Of all of the site's shards; absent = this one is all that is known. */
  pulses?: readonly Pulse[];
  /** Whether a silence covers this; absent = none does. */
  isSilenced?: (ja4: string, kind: KindName) => boolean;
  kinds?: readonly (Kind | GroupKind)[];
}

export { episodeKey };

export interface DetectOutput {
  episodes: Map<string, Episode>;
  cleared: Map<string, Cleared>;
  /** By kind, then fingerprint. */
  events: EpisodeEvent[];
  /** Raises that a cooldown held back, each counted once. */
  suppressed: number;
}

/** Whether a kind has seen enough of the site to speak. */
function isWarm(kind: Kind | GroupKind, site: Site): boolean {
  return site.asOfMs - site.firstDataMs >= kind.warmUpMs;
}

export function detect(input: DetectInput): DetectOutput {
  const kinds = input.kinds ?? ALL_KINDS;
  const memory = input.memory ?? new Memory();
  const found = testAll(input, kinds, memory);
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
  for (const event of output.events) if (event.type === "cleared") endEpisode(memory, event, input.site);
  return output;
}

/** What was told and is over leaves something behind in what is known of its fingerprint. */
function endEpisode(
  { habits, slow }: Memory,
  { episode, reason }: Extract<EpisodeEvent, { type: "cleared" }>,
  site: Site,
): void {
  const slot = habits.slot(episode.ja4);
  if (slot === undefined) return;
  if (episode.kind === "surge") habits.noteTold(slot, site.minuteNow, episode.last.observed);
  if (episode.kind !== "slow_surge") return;
  // The evidence for it must not raise it again.
  if (reason === "new_normal") slow.accept(slot, episode.last.observed);
  else slow.forget(slot);
}

interface Found {
  verdicts: Map<KindName, Map<string, Verdict>>;
  seenAtMs: Map<string, number>;
}

function testAll(input: DetectInput, kinds: readonly (Kind | GroupKind)[], memory: Memory): Found {
  const { settings, episodes, budgetPerDay = DEFAULT_DETECTION.alertBudgetPerDay } = input;
  const site: Site = { ...input.site, crowd: crowdOf(input.pulses ?? [pulseOf(input.site)]) };
  const running = kindsByFingerprint(episodes);
  const due = memory.dueMinute(site);
  // Whatever makes it anomalous, what it does meanwhile is nothing to get used to.
  if (due !== undefined) memory.learn(site, due, (ja4) => running.has(ja4));
  const hearing: Hearing = { site, settings, episodes, budgetPerDay, running };
  const awake = kinds.filter((kind) => settings[kind.name].enabled && isWarm(kind, site));
  const judges = awake.filter((kind) => "prepare" in kind).map((kind) => new Judge(kind, hearing, memory));
  const groups = awake
    .filter((kind) => "groups" in kind)
    .map((kind) => new GroupJudge(kind, hearing, memory));
  const all = [...judges, ...groups];
  const found: Found = {
    verdicts: new Map(all.map(({ name, verdicts }) => [name, verdicts])),
    seenAtMs: new Map(),
  };
  if (all.length === 0 && running.size === 0) return found;
  for (const group of groups) group.hear(found.seenAtMs);
  // A swarm is told once: its members are no newcomers of their own while it runs.
  const swarms = groups.filter(({ isActive }) => isActive);
  const swarmSpeaks = ({ ja4 }: Subject) =>
    swarms.some((group) => group.covers(ja4)) && !episodes.has(episodeKey("newcomer", ja4));
  const withNewcomer = awake.some(({ name }) => name === "newcomer");
  // A newborn's flood is told once: surge leaves it to newcomer while that is awake.
  const newcomerSpeaks = (subject: Subject, minute: number) =>
    withNewcomer &&
    (episodes.has(episodeKey("newcomer", subject.ja4)) ||
      (bornHere(subject, site) && ageMinutes(subject, minute) <= NEWBORN_MINUTES));
  for (const subject of site.subjects()) {
    if (running.size > 0 && running.has(subject.ja4)) noteSeen(found, subject, site);
    for (const minute of [site.minuteNow - 1, site.minuteNow]) {
      const reqs = subject.reqs(minute);
      if (reqs === 0) continue;
      for (const judge of judges) {
        if (!judge.isTest(reqs)) continue;
        if (judge.name === "surge" && newcomerSpeaks(subject, minute)) continue;
        if (judge.name === "newcomer" && swarms.length > 0 && swarmSpeaks(subject)) continue;
        judge.hear(subject, minute, minute === due);
      }
    }
  }
  for (const judge of all) judge.decide();
  return found;
}

function kindsByFingerprint(episodes: DetectInput["episodes"]): Map<string, KindName[]> {
  const running = new Map<string, KindName[]>();
  for (const { ja4, kind } of episodes.values()) {
    const kinds = running.get(ja4);
    if (kinds === undefined) running.set(ja4, [kind]);
    else kinds.push(kind);
  }
  return running;
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

/** Clears that still say something; older ones are forgotten. */
function freshClears({ cleared, cooldownMs, site }: DetectInput): Map<string, Cleared> {
  return new Map([...cleared].filter(([, clear]) => isRemembered(clear, site.asOfMs, cooldownMs)));
}
