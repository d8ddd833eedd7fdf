/**
 * The steps that all kinds share, around one kind in one tick: its test, the recalibration of its tail, and the threshold
 * that keeps the alert budget. What comes out goes into episodes (`episode.ts`).
 */
import type { EpisodePool } from "./budget.ts";
import { episodeKey } from "./episode.ts";
import type { Memory } from "./memory.ts";
import { calibrated, learnTail, type TailState } from "./recalibration.ts";
import { pOfScore } from "./tail.ts";
import type { Episode, Kind, KindName, KindSettings, Site, Subject, Verdict } from "./types.ts";

/** No raise below this calibrated score, where a kind says nothing else. */
export const FLOOR_SCORE = 6;
/** With fewer requests than this share of what raises, a minute is no test. */
const TEST_REQS_SHARE = 0.5;

export interface Hearing {
  site: Site;
  settings: Record<KindName, KindSettings>;
  episodes: ReadonlyMap<string, Episode>;
  budgetPerDay: number;
}

export class Judge {
  readonly kind: Kind;
  /** The stronger of both minutes' verdicts, by fingerprint. */
  readonly verdicts = new Map<string, Verdict>();
  readonly #test: (subject: Subject, minute: number) => Verdict | undefined;
  readonly #hearing: Hearing;
  readonly #tail: TailState;
  readonly #pool: EpisodePool;
  readonly #threshold: number;
  readonly #testReqs: number;

  constructor(kind: Kind, hearing: Hearing, memory: Memory) {
    const settings = hearing.settings[kind.name];
    this.kind = kind;
    this.#hearing = hearing;
    this.#test = kind.prepare(hearing.site, settings, memory);
    this.#tail = memory.tail(kind.name);
    this.#pool = memory.pool(kind.name);
    this.#threshold = this.#pool.threshold(hearing.budgetPerDay, kind.floorScore ?? FLOOR_SCORE);
    this.#testReqs = kind.isOfHour === true ? 1 : settings.minReqs * TEST_REQS_SHARE;
  }

  /** Tests a minute of a fingerprint; `learns`: the minute is over, and this is when its test is remembered. */
  hear(subject: Subject, minute: number, reqs: number, learns: boolean): void {
    const raw = this.#test(subject, minute);
    const remembers = learns && this.kind.isSequential !== true;
    if (raw === undefined) {
      if (remembers && reqs >= this.#testReqs) learnTail(this.#tail, 0);
      return;
    }
    const { ja4 } = subject;
    if (remembers && !this.#isRunning(ja4)) learnTail(this.#tail, raw.score);
    const verdict = recalibrated(raw, this.#tail);
    const known = this.verdicts.get(ja4);
    this.verdicts.set(ja4, known === undefined ? verdict : stronger(known, verdict));
  }

  /** All fingerprints were heard: what is strange enough for the budget may raise. */
  decide(): void {
    const nowMs = this.#hearing.site.asOfMs;
    for (const [ja4, verdict] of this.verdicts) {
      if (!verdict.on) continue;
      const on = verdict.score >= this.#threshold;
      this.#pool.note(ja4, verdict.score, on || this.#isRunning(ja4), nowMs);
      if (!on) this.verdicts.set(ja4, { ...verdict, on });
    }
    this.#pool.tick(nowMs, this.#threshold);
  }

  #isRunning(ja4: string): boolean {
    return this.#hearing.episodes.size > 0 && this.#hearing.episodes.has(episodeKey(this.kind.name, ja4));
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
