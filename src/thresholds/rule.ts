/**
 * A user's threshold as a small state machine per fingerprint: pending (`for`) → raised → clearing → cooling down.
 * Pure: the numbers come through `observe`, the time as a parameter.
 */
import type { WindowName } from "../config.ts";
import type { Severity } from "../detect/types.ts";
import { globTest } from "../wire/ja4.ts";

export const OPERATORS = [">", ">=", "<", "<="] as const;
export type Operator = (typeof OPERATORS)[number];
export interface Comparison {
  /** One of THRESHOLD_SIGNALS. */
  signal: string;
  /** Absent = the signal has none. */
  window?: WindowName | undefined;
  op: Operator;
  value: number;
}

/** What a threshold of the whole site is raised for, where others name a fingerprint. */
export const SITE_SUBJECT = "site";

/** A threshold with every default filled in, as the shards run it. */
export interface Threshold {
  id: string;
  /** Absent = each fingerprint by itself; code of before knew nothing else. */
  scope?: "fingerprint" | "site";
  enabled: boolean;
  /** Globs, any of which lets a fingerprint in; absent = every fingerprint. */
  ja4: string[] | undefined;
  severity: Severity;
  /** What is compared; at least one, and whether all must hold or any is enough. */
  when: { mode: "all" | "any"; comparisons: Comparison[] };
  forMs: number;
  clear: { value: number | undefined; forMs: number };
  cooldownMs: number;
  minReqs: number;
  onMissing: "skip" | "fire";
  expiresAtMs: number | undefined;
}

/** Where a threshold stands with one fingerprint. */
export interface ThresholdState {
  phase: "pending" | "raised" | "cooling";
  /** When the phase began, ms. */
  sinceMs: number;
  /** While raised: since when the clear condition holds; absent = it does not. */
  clearSinceMs?: number;
  anomalyId?: string;
  /** While cooling: whether the condition holds again already. */
  returned?: boolean;
  /** While raised: a silence covers it. */
  silenced?: boolean;
  /** While raised: what the raise compared, so that its end can be told when the threshold is deleted. */
  last?: { severity: Severity; told: Comparison };
}

export type ThresholdClearReason = "recovered" | "quiet" | "silenced" | "disabled" | "deleted";

/** What a threshold tells the world. */
export interface ThresholdChange {
  type: "raised" | "cleared";
  thresholdId: string;
  severity: Severity;
  /** The fingerprint, or SITE_SUBJECT. */
  ja4: string;
  anomalyId: string;
  /** Kept, and not delivered unless asked for. */
  silenced: boolean;
  startedAtMs: number;
  /** The comparison that decided, and what it saw; `undefined` when the number is not known. */
  told: Comparison;
  observed: number | undefined;
  /** Of a clear only. */
  reason?: ThresholdClearReason;
}

function compare(op: Operator, a: number, b: number): boolean {
  switch (op) {
    case ">":
      return a > b;
    case ">=":
      return a >= b;
    case "<":
      return a < b;
    case "<=":
      return a <= b;
  }
}

/** Whether a fingerprint is in the threshold's scope. */
export function scopeTest(threshold: Threshold): (ja4: string) => boolean {
  if (threshold.ja4 === undefined) return () => true;
  const tests = threshold.ja4.map(globTest);
  return (ja4) => tests.some((test) => test(ja4));
}

/** What one fingerprint shows in one tick to one comparison: its number, and the requests in the same window. */
export interface Observed {
  value: number | undefined;
  reqs: number;
}

/** Whether it is in force: switched on, not expired. */
export function isInForce(threshold: Threshold, nowMs: number): boolean {
  return threshold.enabled && (threshold.expiresAtMs === undefined || nowMs < threshold.expiresAtMs);
}

export interface Step {
  /** `undefined` = nothing to remember. */
  state: ThresholdState | undefined;
  /** At most one, but for a silence that begins or ends: then an end and a new start. */
  changes: ThresholdChange[];
  /** A cooldown kept a raise back; once for each return. */
  suppressed?: boolean;
}

/**
 * One tick of one threshold for one fingerprint; `observed` stands in the order of its comparisons. `isSilenced` is asked
 * only where something is raised: a silence that begins or ends meanwhile ends what runs and begins it anew, marked.
 */
export function step(
  threshold: Threshold,
  ja4: string,
  state: ThresholdState | undefined,
  observed: readonly Observed[],
  nowMs: number,
  newId: () => string,
  isSilenced: () => boolean = never,
): Step {
  const holds = observed.map((seen, i) => isMet(threshold, threshold.when.comparisons[i]!, seen));
  const met = threshold.when.mode === "all" ? holds.every(Boolean) : holds.some(Boolean);
  if (state?.phase === "raised") {
    const moved = stepRaised(threshold, ja4, state, observed, met, nowMs);
    return moved.state?.phase === "raised"
      ? handOver(threshold, ja4, moved.state, observed, nowMs, newId, isSilenced())
      : moved;
  }
  if (state?.phase === "cooling" && nowMs - state.sinceMs < threshold.cooldownMs) {
    // One return counts once, however many ticks it lasts.
    return { state: { ...state, returned: met }, changes: [], suppressed: met && state.returned !== true };
  }
  if (!met) return { state: undefined, changes: [] };
  const sinceMs = state?.phase === "pending" ? state.sinceMs : nowMs;
  if (nowMs - sinceMs < threshold.forMs) return { state: { phase: "pending", sinceMs }, changes: [] };
  const decided = Math.max(0, holds.indexOf(true));
  const raised: ThresholdState = {
    phase: "raised",
    sinceMs: nowMs,
    anomalyId: newId(),
    ...(isSilenced() ? { silenced: true } : {}),
    last: { severity: threshold.severity, told: threshold.when.comparisons[decided]! },
  };
  return {
    state: raised,
    changes: [changeOf("raised", threshold.id, ja4, raised, observed[decided]?.value)],
  };
}

const never = () => false;

/** Follows a silence that began or ended while it is raised. */
function handOver(
  threshold: Threshold,
  ja4: string,
  state: ThresholdState,
  observed: readonly Observed[],
  nowMs: number,
  newId: () => string,
  silenced: boolean,
): Step {
  if (silenced === (state.silenced === true)) return { state, changes: [] };
  const { silenced: _, ...rest } = state;
  const next = { ...rest, ...(silenced ? { silenced } : {}), sinceMs: nowMs, anomalyId: newId() };
  const told = state.last?.told;
  const at = threshold.when.comparisons.findIndex(
    ({ signal, window }) => signal === told?.signal && window === told.window,
  );
  const value = observed[Math.max(at, 0)]?.value;
  return {
    state: next,
    changes: [
      { ...changeOf("cleared", threshold.id, ja4, state, value), reason: "silenced" },
      changeOf("raised", threshold.id, ja4, next, value),
    ],
  };
}

/** Whether the condition holds of what is seen, `for` aside. */
export function isConditionMet(threshold: Threshold, observed: readonly Observed[]): boolean {
  const { mode, comparisons } = threshold.when;
  for (let i = 0; i < comparisons.length; i++) {
    const holds = isMet(threshold, comparisons[i]!, observed[i]!);
    if (holds !== (mode === "all")) return holds;
  }
  return mode === "all";
}

/** Whether a comparison holds, `minReqs` included. */
export function isMet(threshold: Threshold, comparison: Comparison, { reqs, value }: Observed): boolean {
  return reqs >= threshold.minReqs && isTrue(threshold, comparison, value);
}

/** Whether a comparison holds of a number, `minReqs` aside. */
export function isTrue(
  { onMissing }: Threshold,
  { op, value }: Comparison,
  seen: number | undefined,
): boolean {
  return seen === undefined ? onMissing === "fire" : compare(op, seen, value);
}

function stepRaised(
  threshold: Threshold,
  ja4: string,
  state: ThresholdState,
  observed: readonly Observed[],
  met: boolean,
  nowMs: number,
): Step {
  const first = observed[0];
  const { clear, when } = threshold;
  // A clear value is the off level of a hysteresis: between the two levels a raised threshold stays raised.
  const cleared =
    clear.value === undefined || first?.value === undefined
      ? !met
      : !compare(when.comparisons[0]!.op, first.value, clear.value);
  if (!cleared) {
    const { clearSinceMs: _, ...held } = state;
    return { state: held, changes: [] };
  }
  const clearSinceMs = state.clearSinceMs ?? nowMs;
  if (nowMs - clearSinceMs < clear.forMs) return { state: { ...state, clearSinceMs }, changes: [] };
  const reason = observed.some(({ reqs }) => reqs > 0) ? "recovered" : "quiet";
  return {
    state: threshold.cooldownMs > 0 ? { phase: "cooling", sinceMs: nowMs } : undefined,
    changes: [{ ...changeOf("cleared", threshold.id, ja4, state, first?.value), reason }],
  };
}

/** The event of a raised state: its raise, or its end for whatever reason. */
export function changeOf(
  type: ThresholdChange["type"],
  thresholdId: string,
  ja4: string,
  state: ThresholdState,
  observed: number | undefined,
): ThresholdChange {
  if (state.anomalyId === undefined || state.last === undefined)
    throw new Error("only a raised state has an event");
  const { severity, told } = state.last;
  const { anomalyId, sinceMs: startedAtMs, silenced = false } = state;
  return { type, thresholdId, severity, ja4, anomalyId, silenced, startedAtMs, told, observed };
}
