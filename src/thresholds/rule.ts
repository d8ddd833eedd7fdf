/**
 * A user's threshold as a small state machine per fingerprint: pending (`for`) → raised → clearing → cooling down.
 * Pure: the numbers come through `observe`, the time as a parameter.
 */
import type { WindowName } from "../config.ts";
import type { Severity } from "../detect/types.ts";
import type { DistinctName, RatioName } from "../window/snapshot.ts";
import { globTest } from "../wire/ja4.ts";

export const OPERATORS = [">", ">=", "<", "<="] as const;
export type Operator = (typeof OPERATORS)[number];
/** Window numbers that a threshold can compare. */
export const THRESHOLD_SIGNALS = [
  "reqs",
  "ips",
  "uas",
  "paths",
  "asns",
  "hosts",
  "h2h3_ratio",
  "heuristic_ratio",
  "browser_ratio",
  "bot_ratio",
  "cache_ratio",
  "error_ratio",
] as const satisfies ("reqs" | DistinctName | RatioName)[];
export type ThresholdSignal = (typeof THRESHOLD_SIGNALS)[number];

export interface Comparison {
  signal: ThresholdSignal;
  window: WindowName;
  op: Operator;
  value: number;
}

/** A threshold with every default filled in, as the shards run it. */
export interface Threshold {
  id: string;
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
  /** While raised: what the raise compared, so that its end can be told when the threshold is deleted. */
  last?: { severity: Severity; told: Comparison };
}

export type ThresholdClearReason = "recovered" | "quiet" | "disabled" | "deleted";

/** What a threshold tells the world. */
export interface ThresholdChange {
  type: "raised" | "cleared";
  thresholdId: string;
  severity: Severity;
  ja4: string;
  anomalyId: string;
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
  change?: ThresholdChange;
  /** A cooldown kept a raise back; once for each return. */
  suppressed?: boolean;
}

/**
 * One tick of one threshold for one fingerprint; `observed` stands in the order of its comparisons.
 */
export function step(
  threshold: Threshold,
  ja4: string,
  state: ThresholdState | undefined,
  observed: readonly Observed[],
  nowMs: number,
  newId: () => string,
): Step {
  const holds = observed.map((seen, i) => isMet(threshold, threshold.when.comparisons[i]!, seen));
  const met = threshold.when.mode === "all" ? holds.every(Boolean) : holds.some(Boolean);
  if (state?.phase === "raised") return stepRaised(threshold, ja4, state, observed, met, nowMs);
  if (state?.phase === "cooling" && nowMs - state.sinceMs < threshold.cooldownMs) {
    // One return counts once, however many ticks it lasts.
    return { state: { ...state, returned: met }, suppressed: met && state.returned !== true };
  }
  if (!met) return { state: undefined };
  const sinceMs = state?.phase === "pending" ? state.sinceMs : nowMs;
  if (nowMs - sinceMs < threshold.forMs) return { state: { phase: "pending", sinceMs } };
  const decided = Math.max(0, holds.indexOf(true));
  const raised: ThresholdState = {
    phase: "raised",
    sinceMs: nowMs,
    anomalyId: newId(),
    last: { severity: threshold.severity, told: threshold.when.comparisons[decided]! },
  };
  return { state: raised, change: changeOf("raised", threshold.id, ja4, raised, observed[decided]?.value) };
}

function isMet(threshold: Threshold, comparison: Comparison, { reqs, value }: Observed): boolean {
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
    return { state: held };
  }
  const clearSinceMs = state.clearSinceMs ?? nowMs;
  if (nowMs - clearSinceMs < clear.forMs) return { state: { ...state, clearSinceMs } };
  const reason = observed.some(({ reqs }) => reqs > 0) ? "recovered" : "quiet";
  return {
    state: threshold.cooldownMs > 0 ? { phase: "cooling", sinceMs: nowMs } : undefined,
    change: { ...changeOf("cleared", threshold.id, ja4, state, first?.value), reason },
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
  const { anomalyId, sinceMs: startedAtMs } = state;
  return { type, thresholdId, severity, ja4, anomalyId, startedAtMs, told, observed };
}
