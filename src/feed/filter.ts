/** Which events a subscriber sees (contract §6, query of `…/feed`). Plain data: it lies in the socket's attachment. */

import type { FeedEvent } from "../wire/event.ts";
import { globTest } from "../wire/ja4.ts";

export interface FeedFilter {
  kinds?: string[];
  types?: string[];
  ja4?: string;
  /** Hides only events that have a score. */
  minScore?: number;
  minSeverity?: Severity;
}

type Severity = FeedEvent["data"]["severity"];
export const SEVERITIES: readonly Severity[] = ["info", "warning", "critical"];

/** What the filter looks at; the feed's table holds these beside the encoded event. */
export interface EventTraits {
  type: string;
  kind: string;
  severity: string;
  ja4: string | undefined;
  score: number | undefined;
}

export function traitsOf({ type, data }: FeedEvent): EventTraits {
  return { type, kind: data.kind, severity: data.severity, ja4: data.ja4, score: data.score };
}

/** Compiles a filter to a test. */
export function filterTest(filter: FeedFilter): (event: EventTraits) => boolean {
  const inScope = filter.ja4 === undefined ? undefined : globTest(filter.ja4);
  const least = filter.minSeverity === undefined ? 0 : SEVERITIES.indexOf(filter.minSeverity);
  return (event) =>
    (filter.kinds?.includes(event.kind) ?? true) &&
    (filter.types?.includes(event.type) ?? true) &&
    // An event of the whole site belongs to every fingerprint.
    (inScope === undefined || event.ja4 === undefined || inScope(event.ja4)) &&
    (filter.minScore === undefined || event.score === undefined || event.score >= filter.minScore) &&
    SEVERITIES.indexOf(event.severity as Severity) >= least;
}
