/** Silences (contract §5): which anomalies are kept and marked, but not delivered unless asked for. */

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
