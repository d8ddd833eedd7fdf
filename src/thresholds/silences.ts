/** Silences (contract §5): which anomalies are kept and marked, but not delivered unless asked for. */
import { globTest } from "../wire/ja4.ts";
import { SITE_SUBJECT } from "./rule.ts";

/** A silence as the shards run it; what is absent does not narrow it. */
export interface Silence {
  id: string;
  /** A glob of fingerprints. */
  ja4: string | undefined;
  /** Kinds of the contract, `threshold` among them. */
  kinds: string[] | undefined;
  /** When it ends, ms; absent = an allow-list. */
  untilMs: number | undefined;
  /** Only fingerprints whose `bot_ratio` of the hour is at least 0.95. */
  verifiedBots: boolean;
}

/** From this share of requests by verified bots on, a fingerprint is theirs (contract §5). */
const VERIFIED_BOTS_RATIO = 0.95;

/**
 * Compiles the silences that run at `nowMs` to one test of a kind of anomaly of a fingerprint, or of SITE_SUBJECT: what is
 * about the whole site is silenced only by silences that name no fingerprint. `botRatioOf`: the hour's, `undefined` = unknown.
 */
export function silenceTest(
  silences: readonly Silence[],
  nowMs: number,
  botRatioOf: (ja4: string) => number | undefined,
): (ja4: string, kind: string) => boolean {
  const running = silences
    .filter(({ untilMs }) => untilMs === undefined || nowMs < untilMs)
    .map((silence) => ({
      ...silence,
      inScope: silence.ja4 === undefined ? undefined : globTest(silence.ja4),
    }));
  return (ja4, kind) =>
    running.some(({ kinds, inScope, verifiedBots }) => {
      if (kinds !== undefined && !kinds.includes(kind)) return false;
      if (ja4 === SITE_SUBJECT) return inScope === undefined && !verifiedBots;
      if (inScope !== undefined && !inScope(ja4)) return false;
      return !verifiedBots || (botRatioOf(ja4) ?? 0) >= VERIFIED_BOTS_RATIO;
    });
}
