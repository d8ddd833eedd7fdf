/**
 * The steps that all kinds share, around one kind in one tick: its test, the recalibration of its tail, and the threshold
 * that keeps the alert budget. What comes out goes into episodes (`episode.ts`).
 */
import { MINUTE_MS } from "../config.ts";
import type { EpisodePool } from "./budget.ts";
import type { Memory } from "./memory.ts";
import { calibrated, learnTail, type TailState } from "./recalibration.ts";
import { pOfScore } from "./tail.ts";
import type { Episode, GroupKind, Kind, KindName, KindSettings, Site, Subject, Verdict } from "./types.ts";

/** No raise below this calibrated score, where a kind says nothing else. */
const FLOOR_SCORE = 6;
/** With fewer requests than this share of what raises, a minute is no test. */
const TEST_REQS_SHARE = 0.5;
const VOLUME_KINDS: ReadonlySet<KindName> = new Set(["surge", "slow_surge", "newcomer"]);

export interface Hearing {
  site: Site;
  settings: Record<KindName, KindSettings>;
  episodes: ReadonlyMap<string, Episode>;
  budgetPerDay: number;
  /** Kinds whose episodes run, by fingerprint. */
  running: ReadonlyMap<string, readonly KindName[]>;
}

/** What judges of one fingerprint and of groups share. */
class Court {
  readonly name: KindName;
  /** The stronger of both minutes' verdicts, by fingerprint. */
  readonly verdicts = new Map<string, Verdict>();
  protected readonly hearing: Hearing;
  protected readonly tail: TailState;
  readonly #pool: EpisodePool;
  readonly #threshold: number;

  constructor(kind: Pick<Kind, "name" | "floorScore">, hearing: Hearing, memory: Memory) {
    this.name = kind.name;
    this.hearing = hearing;
    this.tail = memory.tail(kind.name);
    this.#pool = memory.pool(kind.name);
    const floor = kind.floorScore ?? FLOOR_SCORE;
    this.#threshold = this.#pool.threshold(hearing.budgetPerDay, floor, memory.fingerprints);
  }

  /** All fingerprints were heard: what is strange enough for the budget may raise. */
  decide(): void {
    const nowMs = this.hearing.site.asOfMs;
    for (const [ja4, verdict] of this.verdicts) {
      if (!verdict.on) continue;
      const on = verdict.score >= this.#threshold;
      this.#pool.note(ja4, verdict.score, this.#isCorroborated(ja4), nowMs);
      if (!on) this.verdicts.set(ja4, { ...verdict, on });
    }
    this.#pool.tick(nowMs, this.#threshold);
  }

  protected take(ja4: string, raw: Verdict): void {
    const verdict = recalibrated(raw, this.tail);
    const known = this.verdicts.get(ja4);
    this.verdicts.set(ja4, known === undefined ? verdict : stronger(known, verdict));
  }

  /** Whether the fingerprint is anomalous in another way: volume kinds are all one. */
  #isCorroborated(ja4: string): boolean {
    const kinds = this.hearing.running.get(ja4);
    if (kinds === undefined) return false;
    const group = (kind: KindName) => (VOLUME_KINDS.has(kind) ? "volume" : kind);
    return kinds.some((kind) => group(kind) !== group(this.name));
  }
}

export class Judge extends Court {
  readonly #test: (subject: Subject, minute: number) => Verdict | undefined;
  readonly #testReqs: number;
  readonly #remembers: boolean;
  readonly #heard: { ja4: string; score: number }[] = [];

  constructor(kind: Kind, hearing: Hearing, memory: Memory) {
    super(kind, hearing, memory);
    const settings = hearing.settings[kind.name];
    this.#test = kind.prepare(hearing.site, settings, memory);
    const looksBack = kind.isOfHour === true || kind.isSequential === true;
    this.#testReqs = looksBack ? 1 : settings.minReqs * TEST_REQS_SHARE;
    this.#remembers = kind.isSequential !== true;
  }

  /** Whether a minute with so many requests is a test at all: most are not, and cost nothing more. */
  isTest(reqs: number): boolean {
    return reqs >= this.#testReqs;
  }

  /** Tests a minute of a fingerprint; `learns`: the minute is over, and this is when its test is remembered. */
  hear(subject: Subject, minute: number, learns: boolean): void {
    const raw = this.#test(subject, minute);
    const remembers = learns && this.#remembers;
    if (raw === undefined) {
      if (remembers) learnTail(this.tail, 0);
      return;
    }
    if (remembers && !this.hearing.running.has(subject.ja4))
      this.#heard.push({ ja4: subject.ja4, score: raw.score });
    this.take(subject.ja4, raw);
  }

  override decide(): void {
    super.decide();
    // After the decision: what raises now is nothing that usually happens.
    for (const { ja4, score } of this.#heard)
      if (this.verdicts.get(ja4)?.on !== true) learnTail(this.tail, score);
  }
}

/** Of a kind whose anomalies are groups of fingerprints: a handful a minute, too few to learn a tail from. */
export class GroupJudge extends Court {
  readonly #kind: GroupKind;
  #globs: string[] = [];

  constructor(kind: GroupKind, hearing: Hearing, memory: Memory) {
    super(kind, hearing, memory);
    this.#kind = kind;
  }

  /** Tests both minutes; a group was last seen in the newest one that shows it (`seenAtMs`). */
  hear(seenAtMs: Map<string, number>): void {
    const { site, settings, episodes } = this.hearing;
    for (const minute of [site.minuteNow - 1, site.minuteNow]) {
      for (const { ja4, verdict } of this.#kind.groups(site, settings[this.name], minute)) {
        this.take(ja4, verdict);
        seenAtMs.set(ja4, Math.min((minute + 1) * MINUTE_MS, site.asOfMs));
      }
    }
    this.#globs = [...this.verdicts.keys()];
    for (const { kind, ja4 } of episodes.values()) if (kind === this.name) this.#globs.push(ja4);
  }

  get isActive(): boolean {
    return this.#globs.length > 0;
  }

  /** Whether a fingerprint belongs to a group of now. */
  covers(ja4: string): boolean {
    return this.#globs.some((glob) => this.#kind.covers(glob, ja4));
  }
}

function recalibrated(raw: Verdict, tail: TailState): Verdict {
  const score = calibrated(tail, raw.score);
  if (score === raw.score) return raw;
  const p = pOfScore(score);
  const because = raw.because.map((one) => ({ ...one, p: pOfScore(calibrated(tail, -Math.log10(one.p))) }));
  return { ...raw, score, p, because };
}

/** Of the two minutes under test the one that says more. */
function stronger(a: Verdict, b: Verdict): Verdict {
  const rank = (verdict: Verdict) => (verdict.on ? 200 : verdict.hold ? 100 : 0) + verdict.score;
  if (rank(a) === rank(b)) return b.observed >= a.observed ? b : a;
  return rank(a) > rank(b) ? a : b;
}
