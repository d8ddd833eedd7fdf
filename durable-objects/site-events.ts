/**
 * Site events. The site's first shard watches for them: with each tick the Census gives it what the other shards do, and it
 * has an outbox to tell by, so a restart loses and repeats nothing.
 */
import { type Random, ulid } from "../src/base/random.ts";
import { rfc3339 } from "../src/base/time.ts";
import { siteData } from "../src/detect/site/data.ts";
import { advanceSite, NO_TRACE, type SiteEpisode, type SiteKind } from "../src/detect/site/events.ts";
import type { Pulse } from "../src/signals/pulse.ts";
import { SITE_SUBJECT } from "../src/thresholds/rule.ts";
import { feedEvent } from "../src/wire/event.ts";
import type { ShardStore } from "./sql/shard-store.ts";
import type { SiteStore } from "./sql/site-store.ts";

export class SiteEvents {
  readonly #store: ShardStore;
  readonly #sites: SiteStore;
  readonly #site: { name: string; origin: string };
  readonly #random: Random;
  #running: Map<SiteKind, SiteEpisode>;
  #trace = NO_TRACE;
  #isFirst = true;

  constructor(store: ShardStore, sites: SiteStore, site: { name: string; origin: string }, random: Random) {
    this.#store = store;
    this.#sites = sites;
    this.#site = site;
    this.#random = random;
    this.#running = sites.running();
  }

  /** One tick; disk first, as for episodes (`watch.ts`). */
  tick(pulses: readonly Pulse[], nowMs: number, firstDataMs: number): void {
    // What ran before a start is not over because nobody looked meanwhile.
    if (this.#isFirst) for (const episode of this.#running.values()) episode.heldAtMs = nowMs;
    this.#isFirst = false;
    const newId = () => ulid(nowMs, this.#random);
    const { running, trace, events } = advanceSite(this.#running, this.#trace, {
      ...{ nowMs, firstDataMs, pulses, newId },
    });
    if (events.length > 0) {
      const { name, origin } = this.#site;
      const url = `${origin}/#/sites/${name}`;
      const told = events.map((event) =>
        JSON.stringify(
          feedEvent(
            name,
            `hellotide.site.${event.type}`,
            SITE_SUBJECT,
            newId(),
            rfc3339(nowMs),
            siteData(event, url, nowMs),
          ),
        ),
      );
      this.#store.transaction(() => {
        this.#store.pushOutbox(told);
        for (const { type, episode } of events)
          if (type === "raised") this.#sites.put(episode);
          else this.#sites.delete(episode.kind);
      });
    }
    this.#running = running;
    this.#trace = trace;
  }
}
