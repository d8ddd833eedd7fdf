/** How numbers read in a summary, and how they leave in an event: finite, and no more digits than they are worth. */
import type { Severity, Verdict } from "./types.ts";

/** Unit of shares; counts have units of their own. */
export const SHARE_UNIT = "share of requests";

/** Unit of places among the site's fingerprints: 0.01 = one in a hundred sends more. */
export const RANK_UNIT = "share of fingerprints with more requests";

/** A weak verdict (p above 1e-8 and under this effect) is for information. */
const INFO_SCORE_BELOW = 8;
const INFO_EFFECT_BELOW = 3;
/** A strong one is critical. */
const CRITICAL_SCORE = 10;
const CRITICAL_EFFECT = 10;
/** What is expected counts as at least this in an effect, so that nearly nothing does not make everything critical. */
const EFFECT_MIN_REQS = 1;
const EFFECT_MIN_SHARE = 0.01;

/** Four decimals: shares. */
export function share(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}

/** Three significant digits below 100, whole numbers above. */
export function round(value: number): number {
  if (!Number.isFinite(value)) return 0;
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}

export function percent(value: number): string {
  return `${Number((value * 100).toPrecision(Math.abs(value) < 0.1 ? 1 : 2))} %`;
}

/** "12 are usual", "less than 1 is usual". */
export function usual(mean: number): string {
  if (mean < 1) return "less than 1 is usual";
  const shown = mean < 10 ? Number(mean.toPrecision(2)) : Math.round(mean);
  return shown === 1 ? "1 is usual" : `${shown} are usual`;
}

/** How far a share lies from what is expected, counted on the side where it is more: 2 = twice the share. */
export function shareEffect(local: number, expected: number): number {
  const up = local / Math.max(expected, EFFECT_MIN_SHARE);
  const down = (1 - local) / Math.max(1 - expected, EFFECT_MIN_SHARE);
  return Math.max(up, down);
}

/**
 * How many times a share, or what it leaves over, has changed: 0.5 → 0.95 leaves a tenth over, so 10. For kinds that ask
 * how much is left of something, which `shareEffect` does not tell.
 */
export function shareChange(local: number, expected: number): number {
  return Math.max(shareEffect(local, expected), shareEffect(expected, local));
}

/**
 * Critical: score ≥ 10 and ten times what is expected. Info: score < 8 and less than three times. Else warning.
 */
export function severityOf(verdict: Verdict): Severity {
  const effect =
    verdict.unit === SHARE_UNIT
      ? shareEffect(verdict.observed, verdict.expected)
      : verdict.unit === RANK_UNIT
        ? verdict.expected / verdict.observed
        : verdict.observed / Math.max(verdict.expected, EFFECT_MIN_REQS);
  if (verdict.score >= CRITICAL_SCORE && effect >= CRITICAL_EFFECT) return "critical";
  return verdict.score < INFO_SCORE_BELOW && effect < INFO_EFFECT_BELOW ? "info" : "warning";
}
