/** The platform's bindings. Only this folder and the entry know them; `src/` gets what it needs as parameters. */
import type { AnomalyFeed } from "./anomaly-feed.ts";
import type { Census } from "./census.ts";
import type { FingerprintShard } from "./fingerprint-shard.ts";
import type { Settings } from "./settings.ts";

export interface Env extends Record<string, unknown> {
  SHARDS_NS: DurableObjectNamespace<FingerprintShard>;
  CENSUS_NS: DurableObjectNamespace<Census>;
  FEED_NS: DurableObjectNamespace<AnomalyFeed>;
  SETTINGS_NS: DurableObjectNamespace<Settings>;
  /** The dashboard's files; absent = this deployment has none. */
  ASSETS?: Fetcher;
}
