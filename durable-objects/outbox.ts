/** Events on their way to the feed: at least once from here, in order; the feed drops what it has. */
import { OBJECT_CALL_TIMEOUT_MS } from "../src/config.ts";
import type { ShardStore } from "./sql/shard-store.ts";
import type { ShardPlace, Stubs } from "./stubs.ts";
import { withTimeout } from "./timeout.ts";

const BATCH_EVENTS = 200;

export class Outbox {
  readonly #store: ShardStore;
  readonly #stubs: Stubs;
  readonly #place: ShardPlace;

  constructor(store: ShardStore, stubs: Stubs, place: ShardPlace) {
    this.#store = store;
    this.#stubs = stubs;
    this.#place = place;
  }

  get isWaiting(): boolean {
    return this.#store.outbox(1).length > 0;
  }

  /** Hands everything over. Throws when the feed does not answer; what it has not acknowledged stays. */
  async deliver(): Promise<void> {
    for (;;) {
      const events = this.#store.outbox(BATCH_EVENTS);
      if (events.length === 0) return;
      const { site, epoch, shard } = this.#place;
      const acked = await withTimeout(
        this.#stubs.feed(site).append(`${epoch}-${shard}`, events),
        OBJECT_CALL_TIMEOUT_MS,
        "feed",
      );
      this.#store.ackOutbox(acked);
    }
  }
}
