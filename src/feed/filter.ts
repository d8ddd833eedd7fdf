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
  /** Shows what a silence covers, too. */
  silenced?: boolean;
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
  /** Absent = no; so it is with what earlier code stored. */
  silenced?: boolean;
  /** Absent = no. */
  grouped?: boolean;
}

export function traitsOf({ type, data }: FeedEvent): EventTraits {
  const { kind, severity, ja4, score, silenced, grouped } = data;
  return {
    ...{ type, kind, severity, ja4, score },
    ...(silenced === true ? { silenced } : {}),
    ...(grouped === true ? { grouped } : {}),
  };
}

/** Compiles a filter to a test. */
export function filterTest(filter: FeedFilter): (event: EventTraits) => boolean {
  const inScope = filter.ja4 === undefined ? undefined : globTest(filter.ja4);
  const least = filter.minSeverity === undefined ? 0 : SEVERITIES.indexOf(filter.minSeverity);
  return (event) =>
    // What a storm grouped is told by the storm's own events.
    event.grouped !== true &&
    (event.silenced !== true || filter.silenced === true) &&
    (filter.kinds?.includes(event.kind) ?? true) &&
    (filter.types?.includes(event.type) ?? true) &&
    // An event of the whole site belongs to every fingerprint.
    (inScope === undefined || event.ja4 === undefined || inScope(event.ja4)) &&
    (filter.minScore === undefined || event.score === undefined || event.score >= filter.minScore) &&
    SEVERITIES.indexOf(event.severity as Severity) >= least;
}
