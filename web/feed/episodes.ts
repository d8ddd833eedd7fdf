/** Episodes out of events: of each anomaly the newest event, how many there were, and whether it is over. Pure. */
import type { FeedEvent } from "../../client/index.ts";
import { globTest } from "../../src/wire/ja4.ts";

export interface Episode {
  readonly id: string;
  readonly event: FeedEvent;
  readonly startedMs: number;
  readonly events: number;
  readonly isOver: boolean;
}

export interface EpisodeFilter {
  readonly kind: string;
  readonly severity: string;
  /** `active`, `over`, or empty. */
  readonly state: string;
  /** A glob that knows `*` only, or a part of a fingerprint. */
  readonly ja4: string;
}

/** Older ones leave, those that are over first: a tab that stays open for weeks must not grow. */
const EPISODES_MAX = 1_000;
/** So many leave at once: finding out which is a sort. */
const LEAVING = 100;
const SEVERITIES = ["info", "warning", "critical"];

export class Episodes {
  readonly #all = new Map<string, Episode>();
  #sorted: readonly Episode[] | undefined;

  /** Takes an event in; what is known already, or older than what is known, changes nothing. */
  take(event: FeedEvent): boolean {
    const id = event.data.anomaly_id;
    const known = this.#all.get(id);
    if (known !== undefined && known.event.sequence >= event.sequence) return false;
    this.#all.set(id, {
      id,
      event,
      startedMs: Date.parse(event.data.started_at),
      events: (known?.events ?? 0) + 1,
      isOver: event.type.endsWith(".cleared"),
    });
    this.#sorted = undefined;
    if (this.#all.size > EPISODES_MAX) this.#dropOldest();
    return true;
  }

  /** Newest first. */
  get list(): readonly Episode[] {
    this.#sorted ??= [...this.#all.values()].sort(
      (a, b) => b.startedMs - a.startedMs || (a.event.sequence < b.event.sequence ? 1 : -1),
    );
    return this.#sorted;
  }

  get active(): number {
    let active = 0;
    for (const { isOver } of this.#all.values()) if (!isOver) active++;
    return active;
  }

  #dropOldest(): void {
    const oldestFirst = [...this.list].reverse();
    const leaving = [...oldestFirst.filter(({ isOver }) => isOver), ...oldestFirst].slice(0, LEAVING);
    for (const { id } of leaving) this.#all.delete(id);
    this.#sorted = undefined;
  }
}

export function matches({ event, isOver }: Episode, filter: EpisodeFilter): boolean {
  const { data } = event;
  if (filter.kind !== "" && data.kind !== filter.kind) return false;
  if (filter.severity !== "" && SEVERITIES.indexOf(data.severity) < SEVERITIES.indexOf(filter.severity))
    return false;
  if (filter.state !== "" && isOver !== (filter.state === "over")) return false;
  if (filter.ja4 === "") return true;
  const ja4 = "ja4" in data ? (data.ja4 ?? "") : "";
  return filter.ja4.includes("*") ? globTest(filter.ja4)(ja4) : ja4.includes(filter.ja4);
}
