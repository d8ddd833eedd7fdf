/** The storm guard at work in the feed, which alone hears of the raises of all shards: decides, remembers, tells. */
import { rfc3339 } from "../src/base/time.ts";
import {
  isRaise,
  noteRaise,
  type Storm,
  type StormSettings,
  type StormState,
  stormData,
  stormEndMs,
} from "../src/feed/storm.ts";
import { type FeedEvent, feedEvent } from "../src/wire/event.ts";
import type { Guard } from "./sql/feed-store.ts";
import type { StormStore } from "./sql/storm-store.ts";

export class StormGuard implements Guard {
  readonly #store: StormStore;
  readonly #site: { name: string; origin: string };
  readonly #settings: StormSettings;
  readonly #nowMs: number;
  readonly #newId: () => string;
  readonly #before: StormState;
  #state: StormState;

  /** One for each append, within whose transaction it is used. */
  constructor(
    store: StormStore,
    site: { name: string; origin: string },
    settings: StormSettings,
    nowMs: number,
    newId: () => string,
  ) {
    this.#store = store;
    this.#site = site;
    this.#nowMs = nowMs;
    this.#newId = newId;
    this.#before = store.state;
    this.#settings = settings;
    this.#state = this.#ended(this.#before);
  }

  admit(event: FeedEvent): FeedEvent {
    const anomalyId = event.data.anomaly_id ?? "";
    if (isRaise(event)) {
      const { state, grouped } = noteRaise(this.#state, event, this.#settings, this.#nowMs, this.#newId);
      this.#state = state;
      if (!grouped) return event;
      this.#store.group(anomalyId, this.#nowMs);
      return marked(event);
    }
    if (!this.#store.isGrouped(anomalyId)) return event;
    if (event.type.endsWith(".cleared")) this.#store.ungroup(anomalyId);
    return marked(event);
  }

  after(): FeedEvent[] {
    if (this.#state !== this.#before) this.#store.state = this.#state;
    const [old, now] = [this.#before.storm, this.#state.storm];
    if (old?.anomalyId === now?.anomalyId) return [];
    return [
      ...(old === undefined ? [] : [this.#event("cleared", old)]),
      ...(now === undefined ? [] : [this.#event("raised", now)]),
    ];
  }

  /** A storm that is over is over before what comes now. */
  #ended(state: StormState): StormState {
    const endMs = stormEndMs(state, this.#settings);
    return endMs === undefined || this.#nowMs < endMs ? state : { raisedAtMs: state.raisedAtMs };
  }

  #event(change: "raised" | "cleared", storm: Storm): FeedEvent {
    const time = rfc3339(this.#nowMs);
    const url = `${this.#site.origin}/#/sites/${this.#site.name}`;
    const data = stormData(storm, url, rfc3339(storm.startedAtMs), ...(change === "cleared" ? [time] : []));
    return feedEvent(this.#site.name, `hellotide.site.${change}`, "site", this.#newId(), time, data);
  }
}

function marked(event: FeedEvent): FeedEvent {
  return { ...event, data: { ...event.data, grouped: true } };
}
