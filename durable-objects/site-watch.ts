/**
 * Thresholds of a whole site. The site's first shard watches them: it has the settings, an outbox and a table of what is
 * raised already, so a restart loses and repeats nothing. While any is in force it ticks at full pace, traffic or not, and
 * asks the other shards for their totals; when one does not answer, this tick compares nothing, since a sum without it would
 * raise what is below a value and clear what is above.
 */
import type { ShardSettings } from "../src/api/objects.ts";
import { OBJECT_CALL_TIMEOUT_MS } from "../src/config.ts";
import type { ShardSummary } from "../src/reading/summary.ts";
import { isInForce } from "../src/thresholds/rule.ts";
import { siteNumbers } from "../src/thresholds/site.ts";
import type { ShardPlace, Stubs } from "./stubs.ts";
import { withTimeout } from "./timeout.ts";
import type { Watch } from "./watch.ts";

/** The shard that watches the site as a whole. */
export const FIRST_SHARD = 0;

/** What is needed of the shard. */
export interface Watching {
  place: ShardPlace;
  stubs: Stubs;
  watch: Watch;
  nowMs(): number;
  summary(): ShardSummary;
  noteSuppressed(count: number): void;
}

export class SiteWatch {
  readonly #of: Watching;

  constructor(of: Watching) {
    this.#of = of;
  }

  /** Whether this shard has a threshold of the site to watch. */
  isOn({ thresholds }: ShardSettings): boolean {
    const nowMs = this.#of.nowMs();
    return (
      this.#of.place.shard === FIRST_SHARD &&
      thresholds.some((threshold) => threshold.scope === "site" && isInForce(threshold, nowMs))
    );
  }

  /** One tick; `deliver` hands over what it has to tell. Throws when a shard does not answer. */
  async tick(settings: ShardSettings, deliver: () => Promise<void>): Promise<void> {
    if (!this.isOn(settings)) return;
    const { place, stubs, watch, noteSuppressed } = this.#of;
    const others = Array.from({ length: settings.shards - 1 }, (_, i) =>
      withTimeout(stubs.shard({ ...place, shard: i + 1 }).summary(), OBJECT_CALL_TIMEOUT_MS, "shard"),
    );
    const told = await Promise.all(others);
    noteSuppressed(watch.tickSite(settings, siteNumbers([this.#of.summary(), ...told])));
    await deliver();
  }
}
