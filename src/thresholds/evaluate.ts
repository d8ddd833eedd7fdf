/** All thresholds of a site against all fingerprints of a shard, in one tick. */
import type { Window } from "../window/window.ts";
import { Readings } from "./readings.ts";
import {
  changeOf,
  isInForce,
  isTrue,
  type Observed,
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

export interface Evaluation {
  changes: ThresholdChange[];
  /** Raises that a cooldown kept back. */
  suppressed: number;
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
): Evaluation {
  const readings = new Readings(window);
  const watched = thresholds
    .filter((threshold) => isInForce(threshold, nowMs))
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
      const result = step(threshold, ja4, states.get(key), observe(one, readings), nowMs, newId);
      if (result.suppressed) suppressed++;
      if (result.change !== undefined) changes.push(result.change);
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
    reqs: readings.column({ signal: "reqs", window }),
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
    const inForce = rule !== undefined && isInForce(rule.threshold, nowMs) && rule.inScope(ja4);
    if (inForce && window.fingerprints.id(ja4) !== undefined) continue;
    states.delete(key);
    if (state.phase !== "raised") continue;
    const reason = inForce ? "quiet" : rule === undefined ? "deleted" : "disabled";
    changes.push({ ...changeOf("cleared", id, ja4, state, undefined), reason });
  }
  return changes;
}
