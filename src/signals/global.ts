/**
 * Cloudflare's ten global signals of a fingerprint (Signals Intelligence, `request.cf.botManagement.ja4Signals`):
 * https://developers.cloudflare.com/bots/additional-configurations/ja3-ja4-fingerprint/signals-intelligence/
 * Any subset may be there; what is absent is NaN in the dense form and no key in the sparse one.
 */
import { GLOBAL_SIGNALS, type GlobalSignalName } from "../wire/signal-names.ts";

export type { GlobalSignalName };

/** The sparse form: only what is known. `seenAtMs` is the event time of the request that brought it. */
export interface GlobalSignals {
  seenAtMs: number;
  values: Partial<Record<GlobalSignalName, number>>;
}

/**
 * Number of fingerprints Cloudflare saw in that hour, from a rank and its quantile: N = rank / (1 − quantile)
 * (ten public samples agree with each other to 0.1 %). Absent when either is, or the quantile is 1.
 */
export function globalPopulation(values: GlobalSignals["values"]): number | undefined {
  for (const ranked of ["reqs", "ips"] as const) {
    const rank = values[`${ranked}_rank_1h`];
    const quantile = values[`${ranked}_quantile_1h`];
    if (rank !== undefined && quantile !== undefined && quantile < 1)
      return Math.round(rank / (1 - quantile));
  }
  return undefined;
}

/** The sparse form of dense values; `undefined` when none is known or they were seen before `sinceMs` (stale). */
export function globalSignals(
  dense: { seenAtMs: number; values: Float64Array } | undefined,
  sinceMs: number,
): GlobalSignals | undefined {
  if (dense === undefined || dense.seenAtMs <= sinceMs) return undefined;
  const values: GlobalSignals["values"] = {};
  GLOBAL_SIGNALS.forEach((name, i) => {
    const value = dense.values[i]!;
    if (!Number.isNaN(value)) values[name] = value;
  });
  return Object.keys(values).length === 0 ? undefined : { seenAtMs: dense.seenAtMs, values };
}
