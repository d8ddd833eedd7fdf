/** A shard's window as the detectors see it. Views, not copies: valid until the window changes. */
import { HOUR_MS } from "../config.ts";
import { type GlobalSignals, globalSignals } from "../signals/global.ts";
import { EVERYTHING, WITHOUT_JA4 } from "../window/fingerprints.ts";
import { REQS, subtractTally, type Tally } from "../window/tally.ts";
import { minuteOf } from "../window/time.ts";
import type { Window } from "../window/window.ts";
import type { Site, Subject } from "./types.ts";

/** One fingerprint, read when asked: most of a tick looks at a minute or two of each. */
class WindowSubject implements Subject {
  readonly #window: Window;
  readonly #id: number;
  #ja4: string | undefined;

  constructor(window: Window, id: number) {
    this.#window = window;
    this.#id = id;
  }

  get ja4(): string {
    this.#ja4 ??= this.#window.fingerprints.ja4(this.#id);
    return this.#ja4;
  }

  get firstSeenMs(): number {
    return this.#window.fingerprints.firstSeenMs(this.#id);
  }

  get hour(): Tally {
    // Of its own: detectors keep it beside the tallies of minutes.
    return this.#window.tally(this.#id, "1h").slice();
  }

  get global(): GlobalSignals | undefined {
    return globalSignals(this.#window.signals(this.#id), this.#window.nowMs - HOUR_MS);
  }

  minute(minute: number): Tally | undefined {
    return this.#window.minute(this.#id, minute);
  }

  reqs(minute: number): number {
    return this.#window.minuteReqs(this.#id, minute);
  }
}

export function subjectOf(window: Window, id: number): Subject {
  return new WindowSubject(window, id);
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
    reqs: (minute) => window.minuteReqs(EVERYTHING, minute) - window.minuteReqs(WITHOUT_JA4, minute),
    withoutJa4: (minute) => window.minuteReqs(WITHOUT_JA4, minute),
    *subjects() {
      for (const id of window.fingerprints.ids()) yield subjectOf(window, id);
    },
  };
}

/** All requests with a JA4, those of fingerprints beyond capacity included. */
function minuteTotal(window: Window, minute: number): Tally | undefined {
  const total = window.minute(EVERYTHING, minute)?.slice();
  const without = window.minute(WITHOUT_JA4, minute);
  if (total !== undefined && without !== undefined) subtractTally(total, 0, without, 0);
  return total === undefined || total[REQS] === 0 ? undefined : total;
}
