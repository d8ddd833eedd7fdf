/** A shard's window as the detectors see it. Views, not copies: valid until the window changes. */
import { HOUR_MS } from "../config.ts";
import { globalSignals } from "../signals/global.ts";
import { FIRST_ID } from "../window/fingerprints.ts";
import { addTally, TALLY_WIDTH, type Tally } from "../window/tally.ts";
import { minuteOf } from "../window/time.ts";
import type { Window } from "../window/window.ts";
import type { Site, Subject } from "./types.ts";

export function subjectOf(window: Window, ja4: string, id: number): Subject {
  return {
    ja4,
    firstSeenMs: window.fingerprints.firstSeenMs(id),
    minute: (minute) => window.minutePane(minute)?.row(id),
    hour: window.fingerprints.hour(id),
    global: globalSignals(window.fingerprints.signals(id), window.nowMs - HOUR_MS),
  };
}

/** `firstDataMs`: event time of the site's first request (over all shards, as far as known). */
export function siteOf(window: Window, firstDataMs: number): Site {
  const totals = new Map<number, Tally | undefined>();
  return {
    firstDataMs,
    asOfMs: window.nowMs,
    minuteNow: minuteOf(window.nowMs),
    minute(minute) {
      if (!totals.has(minute)) totals.set(minute, minuteTotal(window, minute));
      return totals.get(minute);
    },
    *subjects() {
      for (const [ja4, id] of window.fingerprints.entries()) yield subjectOf(window, ja4, id);
    },
  };
}

function minuteTotal(window: Window, minute: number): Tally | undefined {
  const pane = window.minutePane(minute);
  if (pane === undefined) return undefined;
  const total = new Uint32Array(TALLY_WIDTH);
  for (const id of pane.ids()) if (id >= FIRST_ID) addTally(total, 0, pane.row(id)!, 0);
  return total;
}
