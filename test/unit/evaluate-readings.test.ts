/** EVAL-1…: what the evaluation makes is what a shard would read. */
import { describe, expect, it } from "vitest";
import { Dice } from "../../scripts/lib/evaluate/dice.ts";
import { QuietSite } from "../../scripts/lib/evaluate/quiet.ts";
import { minuteEndMs, Rows, type Sender, senderOf } from "../../scripts/lib/evaluate/rows.ts";
import { MINUTE_MS, SLOT_MS } from "../../src/config.ts";
import { siteOf } from "../../src/detect/site-view.ts";
import type { Site } from "../../src/detect/types.ts";
import { NEW_IPS, NEW_PATHS, NEW_UAS, REQS } from "../../src/window/tally.ts";
import { Window } from "../../src/window/window.ts";

const START = Date.UTC(2026, 5, 1) / MINUTE_MS;
/** With up to so many new values in the hour a set holds few enough to be exact, older ones included. */
const EXACT_MAX = 100;
/** Of those a few may share the bits that the window tells values apart by. */
const COLLIDE_MAX = 4;
const NOVEL = [NEW_IPS, NEW_UAS, NEW_PATHS];

/** A tally without what is new in it. */
function known(tally: readonly number[]): number[] {
  return tally.filter((_, column) => !NOVEL.includes(column));
}

/** Everything the engine can read of the newest minutes, by fingerprint. */
function readingsOf(site: Site, minutes: number) {
  const found = new Map<
    string,
    { firstSeenMs: number; hour: number[]; minutes: number[][]; global: unknown }
  >();
  for (const subject of site.subjects()) {
    found.set(subject.ja4, {
      firstSeenMs: subject.firstSeenMs,
      hour: [...subject.hour],
      minutes: Array.from({ length: minutes }, (_, ago) => {
        const minute = site.minuteNow - ago;
        const tally = subject.minute(minute);
        expect(subject.reqs(minute)).toBe(tally?.[REQS] ?? 0);
        return [...(tally ?? [])];
      }),
      global: subject.global?.values,
    });
  }
  return found;
}

function play(seed: number, fingerprints: number, minutes: number) {
  const quiet = new QuietSite({ seed, fingerprints }, START);
  const window = new Window(1);
  const rows = new Rows(window);
  const dice = new Dice(seed, "rows");
  const senders = new Map<string, Sender>();
  for (let minute = START; minute < START + minutes; minute++) {
    quiet.step(minute, (fp, tally, firstMs) => {
      const { ja4, global } = quiet.members[fp]!;
      const sender = senders.get(ja4) ?? senderOf(ja4, global);
      senders.set(ja4, sender);
      rows.add(sender, tally, firstMs, minuteEndMs(minute), quiet.readings.isNew(fp), dice);
    });
    for (let ms = minute * MINUTE_MS + SLOT_MS; ms <= minuteEndMs(minute); ms += SLOT_MS) rows.send(ms);
  }
  return { made: quiet.readings.site(), counted: siteOf(window, window.firstDataMs) };
}

describe.each([3, 4])("seed %i", (seed) => {
  const { made, counted } = play(seed, 300, 130);
  const [a, b] = [readingsOf(made, 59), readingsOf(counted, 59)];

  it("EVAL-1: made tallies and the window give the engine the same readings of the same traffic", () => {
    expect([...b.keys()].sort()).toEqual([...a.keys()].sort());
    expect(a.size).toBeGreaterThan(60);
    let exact = 0;
    for (const [ja4, one] of a) {
      const other = b.get(ja4)!;
      expect(other.firstSeenMs, ja4).toBe(one.firstSeenMs);
      expect(other.global, ja4).toEqual(one.global);
      const isExact = NOVEL.every((column) => one.hour[column]! < EXACT_MAX);
      if (!isExact) continue;
      exact++;
      expect(known(other.hour), ja4).toEqual(known(one.hour));
      expect(other.minutes.map(known), ja4).toEqual(one.minutes.map(known));
      for (const column of NOVEL)
        expect(Math.abs(other.hour[column]! - one.hour[column]!), ja4).toBeLessThanOrEqual(COLLIDE_MAX);
    }
    expect(exact).toBeGreaterThan(0.8 * a.size);
    for (let ago = 0; ago < 59; ago++)
      expect(made.reqs(made.minuteNow - ago)).toBe(counted.reqs(made.minuteNow - ago));
  });

  it("EVAL-2: where the window's sets are estimates, an hour's novelty is off by at most a fifth", () => {
    let estimated = 0;
    for (const [ja4, one] of a) {
      for (const column of NOVEL) {
        if (one.hour[column]! < EXACT_MAX) continue;
        estimated++;
        expect(Math.abs(b.get(ja4)!.hour[column]! / one.hour[column]! - 1), ja4).toBeLessThan(0.2);
      }
    }
    expect(estimated).toBeGreaterThan(0);
  });
});
