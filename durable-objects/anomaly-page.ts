/** A page of anomalies out of the feed's disk (contract §4). */
import type { AnomalyPage, AnomalyQuery } from "../src/api/objects.ts";
import type { FeedStore } from "./sql/feed-store.ts";

/** `since` newer than the newest event is a mistake, as it is on the feed. */
export function anomalyPage(
  store: FeedStore,
  { filter, since, cursor, limit }: AnomalyQuery,
): AnomalyPage | "future_cursor" {
  if (since === undefined) {
    return paged(store.anomalies.newest(filter, cursor ?? store.newest + 1, limit + 1), limit);
  }
  const from = Math.max(since, cursor ?? since);
  if (from > store.newest) return "future_cursor";
  const page = paged(store.anomalies.after(filter, from, limit + 1), limit);
  const { oldest } = store;
  return from + 1 < oldest ? { ...page, gap: { from, to: oldest - 1 } } : page;
}

/** `found`: one more than the limit when another page follows. */
function paged(found: { sequence: number; text: string }[], limit: number): AnomalyPage {
  const page = found.slice(0, limit);
  const last = page[page.length - 1];
  return {
    events: page.map(({ text }) => text),
    ...(found.length > limit && last !== undefined ? { next: last.sequence } : {}),
  };
}
