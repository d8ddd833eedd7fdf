/** Twenty thresholds as a site may have them: each with its own glob, a few of them over everything. */
import { CLEAR_AFTER_DEFAULT_MS, COOLDOWN_DEFAULT_MS } from "../../src/config.ts";
import type { Comparison, Threshold } from "../../src/thresholds/rule.ts";

const GLOBS = ["*", "t13d*", "q13d*", "t13d15*", "t13d2*h2_*", "t13d1*_*_0*", "*h2*", "t12d*", "*_*_02713d*"];

const COMPARISONS: readonly Comparison[] = [
  { signal: "reqs", window: "1m", op: ">", value: 500 },
  { signal: "ips", window: "1m", op: ">", value: 200 },
  { signal: "error_ratio", window: "5m", op: ">", value: 0.9 },
  { signal: "uas", window: "1h", op: ">=", value: 50 },
  { signal: "reqs", window: "5m", op: ">", value: 2_000 },
];

export const THRESHOLDS: readonly Threshold[] = Array.from({ length: 20 }, (_, i) => ({
  id: `threshold-${i}`,
  enabled: true,
  ja4: [GLOBS[i % GLOBS.length]!],
  severity: "warning",
  when: { mode: "all", comparisons: [COMPARISONS[i % COMPARISONS.length]!] },
  forMs: 0,
  clear: { value: undefined, forMs: CLEAR_AFTER_DEFAULT_MS },
  cooldownMs: COOLDOWN_DEFAULT_MS,
  // A share of three requests says nothing.
  minReqs: 10,
  onMissing: "skip",
  expiresAtMs: undefined,
}));
