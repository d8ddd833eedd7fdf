/** All thresholds of a site against all fingerprints of a shard, in one tick. */
import type { Window } from "../window/window.ts";
import { type Knowledge, NOTHING_KNOWN, Readings } from "./readings.ts";
import {
  type Comparison,
  changeOf,
  isInForce,
  isTrue,
  type Observed,
  SITE_SUBJECT,
  scopeTest,
  step,
  type Threshold,
  type ThresholdChange,
  type ThresholdState,
} from "./rule.ts";

/** States by `${threshold id} ${ja4}`: ids and fingerprints hold no spaces. */
export type ThresholdStates = Map<string, ThresholdState>;

function stateKey(id: string, ja4: string): string {
  return `${id} ${ja4}`;
}

function partsOf(key: string): { threshold: string; ja4: string } {
  const at = key.indexOf(" ");
  return { threshold: key.slice(0, at), ja4: key.slice(at + 1) };
}

/** Whether a silence covers what a threshold raises for this fingerprint (or SITE_SUBJECT). */
export type SilencedTest = (ja4: string) => boolean;

const NOT_SILENCED: SilencedTest = () => false;

export interface Evaluation {
  changes: ThresholdChange[];
  /** Raises that a cooldown kept back. */
  suppressed: number;
}

/** The numbers of a whole site, by signal and window. */
export type SiteNumbers = (comparison: Pick<Comparison, "signal" | "window">) => number | undefined;

/**
 * Steps the thresholds of the whole site, each once; `states` is changed in place. Requests of `min_reqs` are the site's in
 * the same window, the hour's where there is none.
 */
export function evaluateSiteThresholds(
  thresholds: readonly Threshold[],
  numbers: SiteNumbers,
  states: ThresholdStates,
  nowMs: number,
  newId: () => string,
  isSilenced: SilencedTest = NOT_SILENCED,
): Evaluation {
  const changes: ThresholdChange[] = [];
  let suppressed = 0;
  for (const threshold of thresholds) {
    if (threshold.scope !== "site" || !isInForce(threshold, nowMs)) continue;
    const key = stateKey(threshold.id, SITE_SUBJECT);
    const seen = observeSite(threshold, numbers);
    const result = step(threshold, SITE_SUBJECT, states.get(key), seen, nowMs, newId, () =>
      isSilenced(SITE_SUBJECT),
    );
    if (result.suppressed) suppressed++;
    changes.push(...result.changes);
    if (result.state === undefined) states.delete(key);
    else states.set(key, result.state);
  }
  return { changes, suppressed };
}

/** What a site shows to each comparison of a threshold. */
export function observeSite({ when }: Threshold, numbers: SiteNumbers): Observed[] {
  return when.comparisons.map(({ signal, window }) => ({
    reqs: numbers({ signal: "reqs", window: window ?? "1h" }) ?? 0,
    value: numbers({ signal, window }),
  }));
}

/** A threshold in force, ready for a tick. */
interface Watched {
  threshold: Threshold;
  inScope: (ja4: string) => boolean;
  /** Columns of each comparison: its requests, its number. */
  columns: { reqs: number; value: number }[];
  /** Fingerprints that there is a state of. */
  held: Set<number>;
  changes: ThresholdChange[];
}

/**
 * Steps every threshold; `states` is changed in place. Most fingerprints meet no threshold and have no state: for those
 * numbers are all that is looked at, and each once, since a name costs more than all of them.
 */
export function evaluateThresholds(
  thresholds: readonly Threshold[],
  window: Window,
  states: ThresholdStates,
  nowMs: number,
  newId: () => string,
  knowledge: Knowledge = NOTHING_KNOWN,
  isSilenced: SilencedTest = NOT_SILENCED,
): Evaluation {
  const readings = new Readings(window, knowledge);
  const watched = thresholds
    .filter((threshold) => threshold.scope !== "site" && isInForce(threshold, nowMs))
    .map((threshold) => watch(threshold, readings));
  noteHeld(watched, window, states);
  let suppressed = 0;
  for (const id of watched.length === 0 ? [] : window.fingerprints.ids()) {
    readings.moveTo(id);
    for (const one of watched) {
      if (!one.held.has(id) && !isMetBy(one, readings)) continue;
      const { threshold, changes } = one;
      const { ja4 } = readings;
      if (!one.inScope(ja4)) continue;
      const key = stateKey(threshold.id, ja4);
      const seen = observe(one, readings);
      const result = step(threshold, ja4, states.get(key), seen, nowMs, newId, () => isSilenced(ja4));
      if (result.suppressed) suppressed++;
      changes.push(...result.changes);
      if (result.state === undefined) states.delete(key);
      else states.set(key, result.state);
    }
  }
  const changes = watched.flatMap((one) => one.changes);
  changes.push(...clearOrphans(thresholds, window, states, nowMs));
  return { changes, suppressed };
}

function watch(threshold: Threshold, readings: Readings): Watched {
  const columns = threshold.when.comparisons.map(({ signal, window }) => ({
    // What has no window is about the hour.
    reqs: readings.column({ signal: "reqs", window: window ?? "1h" }),
    value: readings.column({ signal, window }),
  }));
  return { threshold, inScope: scopeTest(threshold), columns, held: new Set(), changes: [] };
}

function noteHeld(watched: readonly Watched[], window: Window, states: ThresholdStates): void {
  const byId = new Map(watched.map((one) => [one.threshold.id, one]));
  for (const key of states.keys()) {
    const { threshold, ja4 } = partsOf(key);
    const id = window.fingerprints.id(ja4);
    if (id !== undefined) byId.get(threshold)?.held.add(id);
  }
}

/** Whether the condition holds; reads no further number once that is clear. */
function isMetBy({ threshold, columns }: Watched, readings: Readings): boolean {
  const { mode, comparisons } = threshold.when;
  for (let i = 0; i < comparisons.length; i++) {
    const { reqs, value } = columns[i]!;
    const holds =
      readings.value(reqs)! >= threshold.minReqs && isTrue(threshold, comparisons[i]!, readings.value(value));
    if (holds !== (mode === "all")) return holds;
  }
  return mode === "all";
}

function observe({ columns }: Watched, readings: Readings): Observed[] {
  return columns.map(({ reqs, value }) => ({
    reqs: readings.value(reqs)!,
    value: readings.value(value),
  }));
}

/** Clears what is raised although its threshold is gone, switched off or expired, or its fingerprint left the hour. */
function clearOrphans(
  thresholds: readonly Threshold[],
  window: Window,
  states: ThresholdStates,
  nowMs: number,
): ThresholdChange[] {
  const byId = new Map(
    thresholds.map((threshold) => [threshold.id, { threshold, inScope: scopeTest(threshold) }] as const),
  );
  const changes: ThresholdChange[] = [];
  for (const [key, state] of states) {
    const { threshold: id, ja4 } = partsOf(key);
    const rule = byId.get(id);
    const ofSite = ja4 === SITE_SUBJECT;
    const inForce =
      rule !== undefined &&
      isInForce(rule.threshold, nowMs) &&
      ofSite === (rule.threshold.scope === "site") &&
      (ofSite || rule.inScope(ja4));
    if (inForce && (ofSite || window.fingerprints.id(ja4) !== undefined)) continue;
    states.delete(key);
    if (state.phase !== "raised") continue;
    const reason = inForce ? "quiet" : rule === undefined ? "deleted" : "disabled";
    changes.push({ ...changeOf("cleared", id, ja4, state, undefined), reason });
  }
  return changes;
}
