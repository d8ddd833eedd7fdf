/**
 * What a threshold would do: now, and had it been in force for the hour that is stored. The hour is played minute by minute,
 * each as it was at its end: counts and ratios of 1m are that minute's, of 5m those of five minutes. What has no history (the
 * hour's numbers, distinct counts, ranks, global signals, scores) counts as it is now. The last moment is now itself.
 */
import { LIST_LIMIT_MAX } from "../base/read-limits.ts";
import { MINUTE_MS } from "../config.ts";
import { EVERYTHING, WITHOUT_JA4 } from "../window/fingerprints.ts";
import { addTally, FACTS, REQS, TALLY_WIDTH, WITHOUT_SIGNALS } from "../window/tally.ts";
import { firstMinute, minuteOf, windowFrom } from "../window/time.ts";
import type { Window } from "../window/window.ts";
import { RATIOS } from "../wire/flags.ts";
import { observeSite } from "./evaluate.ts";
import { type Knowledge, Readings } from "./readings.ts";
import {
  type Comparison,
  isConditionMet,
  isMet,
  type Observed,
  SITE_SUBJECT,
  scopeTest,
  step,
  type Threshold,
  type ThresholdState,
} from "./rule.ts";
import { type ShardTotals, siteNumbers } from "./site.ts";

export interface Fired {
  /** Absent = the whole site. */
  ja4?: string;
  /** Absent = not known, and the threshold fires then. */
  observed?: number;
}

/** One shard's part of an answer, or the whole. */
export interface DryRun {
  asOfMs: number;
  evaluated: number;
  missing: number;
  /** Strongest first, at most LIST_LIMIT_MAX. */
  fired: Fired[];
  /** Further ones. */
  more: number;
  episodes: number;
  fingerprints: number;
}

/** A site's minute, or a shard's part of it. */
export interface SiteMinute {
  minute: number;
  reqs: number;
  without_ja4: number;
  without_signals: number;
}

/** What a shard tells of the site for a dry run. */
export interface SiteHistory extends ShardTotals {
  asOfMs: number;
  /** Oldest first, those of the hour that are over. */
  minutes: SiteMinute[];
}

const HOUR_MINUTES = 60;
const SUMMED_MINUTES = { "1m": 1, "5m": 5 } as const;
const newId = () => "";

/** One pass over a shard's fingerprints, each minute of each read once. */
export function dryRun(threshold: Threshold, window: Window, knowledge: Knowledge): DryRun {
  const { nowMs, fingerprints } = window;
  const readings = new Readings(window, knowledge);
  const { comparisons } = threshold.when;
  const columns = comparisons.map(({ signal, window: name }) => ({
    reqs: readings.column({ signal: "reqs", window: name ?? "1h" }),
    value: readings.column({ signal, window: name }),
  }));
  const inScope = scopeTest(threshold);
  const minutes = new Minutes(window);
  const pasts = comparisons.map(pastOf);
  const needed = leastReqs(threshold);
  const run: DryRun = {
    asOfMs: nowMs,
    evaluated: 0,
    missing: 0,
    fired: [],
    more: 0,
    episodes: 0,
    fingerprints: 0,
  };
  const past = comparisons.map((): Observed => ({ reqs: 0, value: undefined }));
  for (const id of fingerprints.ids()) {
    readings.moveTo(id);
    const { ja4 } = readings;
    if (!inScope(ja4)) continue;
    const now = columns.map(
      ({ reqs, value }): Observed => ({
        reqs: readings.value(reqs)!,
        value: readings.value(value),
      }),
    );
    note(run, threshold, now, { ja4 });
    if (window.reqs(id, "1h") < needed) continue;
    minutes.read(id);
    const from = Math.max(minutes.first, minuteOf(fingerprints.firstSeenMs(id)));
    const raises = play(threshold, from, nowMs, now, (minute) => {
      for (let i = 0; i < comparisons.length; i++) minutes.observe(pasts[i]!, now[i]!, minute, past[i]!);
      return past;
    });
    run.episodes += raises;
    if (raises > 0) run.fingerprints++;
  }
  return sorted(threshold, run);
}

/** The same of the whole site, from every shard's history. */
export function siteDryRun(threshold: Threshold, shards: readonly SiteHistory[]): DryRun {
  const asOfMs = Math.min(...shards.map((shard) => shard.asOfMs));
  const run: DryRun = { asOfMs, evaluated: 0, missing: 0, fired: [], more: 0, episodes: 0, fingerprints: 0 };
  const now = observeSite(threshold, siteNumbers(shards));
  note(run, threshold, now, {});
  const totals = new Map<number, SiteMinute>();
  for (const told of shards.flatMap(({ minutes }) => minutes)) {
    const held = totals.get(told.minute) ?? {
      minute: told.minute,
      reqs: 0,
      without_ja4: 0,
      without_signals: 0,
    };
    held.reqs += told.reqs;
    held.without_ja4 += told.without_ja4;
    held.without_signals += told.without_signals;
    totals.set(told.minute, held);
  }
  const sum = (name: keyof SiteMinute, minute: number, count: number) => {
    let found = 0;
    for (let at = minute - count + 1; at <= minute; at++) found += totals.get(at)?.[name] ?? 0;
    return found;
  };
  const past = ({ signal, window }: Comparison, at: number, minute: number): Observed => {
    if (window !== "1m" && window !== "5m") return now[at]!;
    const count = SUMMED_MINUTES[window];
    const isKept = signal === "reqs" || signal === "without_ja4" || signal === "without_signals";
    return {
      reqs: sum("reqs", minute, count),
      value: isKept ? sum(signal, minute, count) : now[at]!.value,
    };
  };
  const first = Math.min(...totals.keys(), minuteOf(asOfMs));
  run.episodes = play(threshold, first, asOfMs, now, (minute) =>
    threshold.when.comparisons.map((comparison, at) => past(comparison, at, minute)),
  );
  return run;
}

/** A shard's minutes for `siteDryRun`. */
export function siteMinutes(window: Window): SiteMinute[] {
  const first = firstMinute(windowFrom("1h", window.nowMs));
  const told: SiteMinute[] = [];
  for (let minute = first; minute < minuteOf(window.nowMs); minute++) {
    const all = window.minute(EVERYTHING, minute);
    if (all === undefined) continue;
    const { [REQS]: reqs, [WITHOUT_SIGNALS]: bare } = all;
    const without_ja4 = window.minute(WITHOUT_JA4, minute)?.[REQS] ?? 0;
    told.push({ minute, reqs: reqs!, without_ja4, without_signals: bare! - without_ja4 });
  }
  return told;
}

/** Several shards' parts as one. */
export function mergeDryRuns(threshold: Threshold, parts: readonly DryRun[]): DryRun {
  const sum = (of: (part: DryRun) => number) => parts.reduce((total, part) => total + of(part), 0);
  return sorted(threshold, {
    asOfMs: Math.min(...parts.map(({ asOfMs }) => asOfMs)),
    evaluated: sum(({ evaluated }) => evaluated),
    missing: sum(({ missing }) => missing),
    fired: parts.flatMap(({ fired }) => fired),
    more: sum(({ more }) => more),
    episodes: sum(({ episodes }) => episodes),
    fingerprints: sum(({ fingerprints }) => fingerprints),
  });
}

/** Notes what it shows now. */
function note(run: DryRun, threshold: Threshold, now: readonly Observed[], subject: Fired): void {
  run.evaluated++;
  if (now.some(({ value }) => value === undefined)) run.missing++;
  if (!isConditionMet(threshold, now)) return;
  const decided = now.findIndex((seen, i) => isMet(threshold, threshold.when.comparisons[i]!, seen));
  const observed = now[Math.max(decided, 0)]?.value;
  run.fired.push({ ...subject, ...(observed === undefined ? {} : { observed }) });
}

/** How often it would have been raised from minute `from` on. */
function play(
  threshold: Threshold,
  from: number,
  nowMs: number,
  now: readonly Observed[],
  seenIn: (minute: number) => readonly Observed[],
): number {
  let state: ThresholdState | undefined;
  let raises = 0;
  for (let minute = from; minute <= minuteOf(nowMs); minute++) {
    const isNow = minute === minuteOf(nowMs);
    const seen = isNow ? now : seenIn(minute);
    if (state === undefined && !isConditionMet(threshold, seen)) continue;
    const atMs = isNow ? nowMs : (minute + 1) * MINUTE_MS;
    const moved = step(threshold, SITE_SUBJECT, state, seen, atMs, newId);
    state = moved.state;
    for (const { type } of moved.changes) if (type === "raised") raises++;
  }
  return raises;
}

function sorted(threshold: Threshold, run: DryRun): DryRun {
  const down = threshold.when.comparisons[0]!.op.startsWith("<") ? -1 : 1;
  const strength = ({ observed }: Fired) =>
    observed === undefined ? Number.NEGATIVE_INFINITY : observed * down;
  const fired = [...run.fired].sort((a, b) =>
    strength(a) === strength(b) ? ((a.ja4 ?? "") < (b.ja4 ?? "") ? -1 : 1) : strength(b) - strength(a),
  );
  const more = run.more + Math.max(fired.length - LIST_LIMIT_MAX, 0);
  return { ...run, fired: fired.slice(0, LIST_LIMIT_MAX), more };
}

/** The minutes of one fingerprint after the other, as running sums: those of n minutes are a difference. */
class Minutes {
  /** The oldest minute of the hour. */
  readonly first: number;
  readonly #window: Window;
  /** Sums of the minutes before the i-th, column by column. */
  readonly #sums = new Uint32Array((HOUR_MINUTES + 2) * TALLY_WIDTH);
  readonly #count: number;

  constructor(window: Window) {
    this.#window = window;
    this.first = firstMinute(windowFrom("1h", window.nowMs));
    this.#count = minuteOf(window.nowMs) - this.first;
  }

  read(id: number): void {
    const { fingerprints } = this.#window;
    const seenFrom = minuteOf(fingerprints.firstSeenMs(id));
    const seenTo = minuteOf(fingerprints.lastSeenMs(id));
    for (let i = 0; i < this.#count; i++) {
      const at = i * TALLY_WIDTH;
      this.#sums.copyWithin(at + TALLY_WIDTH, at, at + TALLY_WIDTH);
      const minute = this.first + i;
      if (minute < seenFrom || minute > seenTo) continue;
      const tally = this.#window.minute(id, minute);
      if (tally !== undefined) addTally(this.#sums, at + TALLY_WIDTH, tally, 0);
    }
  }

  /** What a comparison saw at the end of a minute, into `into`; `now` where there is no history. */
  observe({ minutes, fact }: Past, now: Observed, minute: number, into: Observed): void {
    if (minutes === undefined) {
      into.reqs = now.reqs;
      into.value = now.value;
      return;
    }
    const end = minute - this.first + 1;
    const start = Math.max(end - minutes, 0);
    into.reqs = this.#between(start, end, REQS);
    if (fact === undefined) into.value = now.value;
    else if (fact === REQS) into.value = into.reqs;
    else {
      const known = this.#between(start, end, fact);
      into.value = known === 0 ? undefined : this.#between(start, end, fact + 1) / known;
    }
  }

  #between(start: number, end: number, column: number): number {
    return this.#sums[end * TALLY_WIDTH + column]! - this.#sums[start * TALLY_WIDTH + column]!;
  }
}

/** How a comparison is read of the past. */
interface Past {
  /** Minutes that its window sums; absent = no history. */
  minutes: number | undefined;
  /** Column of its requests, or of the requests for which its ratio's fact is known; absent = no history of its own. */
  fact: number | undefined;
}

function pastOf({ signal, window }: Comparison): Past {
  const ratio = RATIOS.findIndex((name) => signal === `${name}_ratio`);
  const ofRatio = ratio < 0 ? undefined : FACTS + 2 * ratio;
  return {
    minutes: window === "1m" || window === "5m" ? SUMMED_MINUTES[window] : undefined,
    fact: signal === "reqs" ? REQS : ofRatio,
  };
}

/** With fewer requests in the hour than this the condition cannot have held in any part of it. */
function leastReqs({ when, minReqs }: Threshold): number {
  const needs = when.comparisons.map(({ signal, op, value }) =>
    signal === "reqs" && op.startsWith(">") ? Math.max(minReqs, value) : minReqs,
  );
  return when.mode === "all" ? Math.max(...needs) : Math.min(...needs);
}
