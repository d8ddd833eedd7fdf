/** All thresholds of a site against all fingerprints of a shard, in one tick. */
import { windowNumber } from "../window/snapshot.ts";
import type { Window } from "../window/window.ts";
import {
  type Comparison,
  changeOf,
  isInForce,
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

export interface Evaluation {
  changes: ThresholdChange[];
  /** Raises that a cooldown kept back. */
  suppressed: number;
}

/** Steps every threshold; `states` is changed in place. */
export function evaluateThresholds(
  thresholds: readonly Threshold[],
  window: Window,
  states: ThresholdStates,
  nowMs: number,
  newId: () => string,
): Evaluation {
  const changes: ThresholdChange[] = [];
  let suppressed = 0;
  for (const threshold of thresholds) {
    if (!isInForce(threshold, nowMs)) continue;
    const inScope = scopeTest(threshold);
    for (const id of window.fingerprints.ids()) {
      const ja4 = window.fingerprints.ja4(id);
      if (!inScope(ja4)) continue;
      const observed = threshold.when.comparisons.map((comparison) => observe(window, id, comparison));
      const key = stateKey(threshold.id, ja4);
      const result = step(threshold, ja4, states.get(key), observed, nowMs, newId);
      if (result.suppressed) suppressed++;
      if (result.change !== undefined) changes.push(result.change);
      if (result.state === undefined) states.delete(key);
      else states.set(key, result.state);
    }
  }
  changes.push(...clearOrphans(thresholds, window, states, nowMs));
  return { changes, suppressed };
}

function observe(window: Window, id: number, { signal, window: name }: Comparison): Observed {
  const reqs = window.reqs(id, name);
  return { reqs, value: signal === "reqs" ? reqs : windowNumber(window, id, name, signal) };
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
    const at = key.indexOf(" ");
    const [id, ja4] = [key.slice(0, at), key.slice(at + 1)];
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
