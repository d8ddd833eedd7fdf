/** A small site whose minutes are written down one by one, as the detectors see it. */
import { MINUTE_MS } from "../../src/config.ts";
import { type DetectOutput, detect } from "../../src/detect/engine.ts";
import { Memory } from "../../src/detect/memory.ts";
import { DEFAULT_KIND_SETTINGS } from "../../src/detect/settings.ts";
import type { Site, Subject } from "../../src/detect/types.ts";
import type { GlobalSignals } from "../../src/signals/global.ts";
import {
  addTally,
  FACTS,
  NEW_IPS,
  NEW_PATHS,
  REQS,
  TALLY_WIDTH,
  type Tally,
} from "../../src/window/tally.ts";
import { RATIO_INDEX, type Ratio } from "../../src/wire/flags.ts";

export interface ScriptedMinute {
  reqs: number;
  newIps?: number;
  newPaths?: number;
  /** Of all requests the ones that are yes; a ratio that is not named is not known. */
  yes?: Partial<Record<Ratio, number>>;
}

function tallyOf({ reqs, newIps = 0, newPaths = 0, yes = {} }: ScriptedMinute): Tally {
  const tally: Tally = new Uint32Array(TALLY_WIDTH);
  tally[REQS] = reqs;
  tally[NEW_IPS] = newIps;
  tally[NEW_PATHS] = newPaths;
  for (const [ratio, count] of Object.entries(yes)) {
    tally[FACTS + 2 * RATIO_INDEX[ratio as Ratio]] = reqs;
    tally[FACTS + 2 * RATIO_INDEX[ratio as Ratio] + 1] = count;
  }
  return tally;
}

function globalOf(values: GlobalSignals["values"] | undefined, now: number): GlobalSignals | undefined {
  return values === undefined ? undefined : { seenAtMs: now * MINUTE_MS, values };
}

export type Running = Pick<DetectOutput, "episodes" | "cleared">;

export class ScriptedSite {
  /** Cloudflare's signals of those that it knows. */
  readonly globals = new Map<string, GlobalSignals["values"]>();
  readonly #rows = new Map<string, Map<number, Tally>>();

  put(ja4: string, minute: number, what: ScriptedMinute): this {
    const rows = this.#rows.get(ja4) ?? new Map<number, Tally>();
    this.#rows.set(ja4, rows.set(minute, tallyOf(what)));
    return this;
  }

  steady(ja4: string, from: number, until: number, what: ScriptedMinute): this {
    for (let minute = from; minute < until; minute++) this.put(ja4, minute, what);
    return this;
  }

  #subject(ja4: string, rows: ReadonlyMap<number, Tally>, now: number): Subject {
    const hour: Tally = new Uint32Array(TALLY_WIDTH);
    for (const [minute, row] of rows) if (minute > now - 60 && minute <= now) addTally(hour, 0, row, 0);
    return {
      ja4,
      firstSeenMs: Math.min(...rows.keys()) * MINUTE_MS + 1,
      minute: (at) => rows.get(at),
      reqs: (at) => rows.get(at)?.[REQS] ?? 0,
      hour,
      global: globalOf(this.globals.get(ja4), now),
    };
  }

  /** The site at the end of minute `now`. */
  at(now: number): Site {
    const subjects = [...this.#rows]
      .map(([ja4, rows]) => this.#subject(ja4, rows, now))
      .filter(({ hour }) => hour[REQS]! > 0);
    const total = (at: number): Tally | undefined => {
      const sum: Tally = new Uint32Array(TALLY_WIDTH);
      for (const rows of this.#rows.values()) {
        const row = rows.get(at);
        if (row !== undefined) addTally(sum, 0, row, 0);
      }
      return sum[REQS]! > 0 ? sum : undefined;
    };
    return {
      firstDataMs: 1,
      asOfMs: (now + 1) * MINUTE_MS,
      minuteNow: now,
      minute: total,
      reqs: (at) => total(at)?.[REQS] ?? 0,
      subjects: () => subjects,
    };
  }

  tick(
    now: number,
    before: Running = { episodes: new Map(), cleared: new Map() },
    settings = DEFAULT_KIND_SETTINGS,
    memory = new Memory(),
  ) {
    let id = 0;
    return detect({
      site: this.at(now),
      settings,
      memory,
      ...before,
      cooldownMs: 10 * MINUTE_MS,
      newId: () => `a${now}-${id++}`,
    });
  }
}

/** "kind ja4" of what a tick raised. */
export function raisedBy({ events }: DetectOutput): string[] {
  return events
    .filter(({ type }) => type === "raised")
    .map(({ episode }) => `${episode.kind} ${episode.ja4}`);
}
