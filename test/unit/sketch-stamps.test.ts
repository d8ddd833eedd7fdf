/** Slots as bytes, against the slots themselves, for newest slots on all sides of where stamps wrap. */
import { describe, expect, it } from "vitest";
import { STAMP_SLOTS, Stamps } from "../../src/sketch/distincts-stamps.ts";

/** The first ones, where there are not yet 255 slots; around the first two wraps; between them; and a late one. */
const NEWEST = [0, 1, 2, 253, 254, 255, 256, 300, 508, 509, 510, 511, 4_500_000];

const at = (newest: number): Stamps => {
  const stamps = new Stamps();
  stamps.note(newest);
  return stamps;
};

/** Slots that can be told apart, the newest first. */
const known = (newest: number) =>
  Array.from({ length: Math.min(newest + 1, STAMP_SLOTS) }, (_, i) => newest - i);

describe("stamps", () => {
  it.each(NEWEST)("STAMP-1: of the 255 slots up to %i each has its own, which tells its age", (newest) => {
    const stamps = at(newest);
    expect([stamps.newest, stamps.newestStamp]).toEqual([newest, stamps.of(newest)]);
    const slots = known(newest);
    expect(slots.map((slot) => stamps.age(stamps.of(slot)))).toEqual(slots.map((slot) => newest - slot));
    expect(new Set(slots.map((slot) => stamps.of(slot))).size).toBe(slots.length);
    expect(slots.every((slot) => stamps.of(slot) > 0 && stamps.of(slot) <= 255)).toBe(true);
  });

  it("STAMP-1: a slot is known unless a later one has its stamp, and only a later one is the newest", () => {
    const stamps = at(1_000);
    expect([1_000, 999, 746, 745].map((slot) => stamps.note(slot))).toEqual([true, true, true, false]);
    expect([stamps.newest, stamps.newestStamp]).toEqual([1_000, stamps.of(1_000)]);
    expect([stamps.note(1_001), stamps.note(746)]).toEqual([true, false]);
    expect([stamps.newest, stamps.newestStamp]).toEqual([1_001, stamps.of(1_001)]);
  });

  it.each(NEWEST)(
    "STAMP-2: the later of two stamps is the later slot's, and any is later than none, up to %i",
    (newest) => {
      const stamps = at(newest);
      const slots = known(newest).filter((_, i) => i % 23 === 0 || i === 254);
      for (const a of slots) {
        const stamp = stamps.of(a);
        expect([stamps.later(stamp, 0), stamps.later(0, stamp)]).toEqual([stamp, stamp]);
        const later = slots.map((b) => stamps.later(stamp, stamps.of(b)));
        expect(later).toEqual(slots.map((b) => stamps.of(Math.max(a, b))));
      }
      expect(stamps.later(0, 0)).toBe(0);
    },
  );

  it.each(NEWEST)("STAMP-3: a window flags the stamps of its slots and no other, up to %i", (newest) => {
    const ends = [-1, 0, 1, ...[300, 255, 254, 200, 1, 0, -9].map((ago) => newest - ago)];
    const other = at(newest);
    for (const since of ends) {
      for (const until of ends) {
        const flags = new Uint8Array(256);
        for (const slot of known(newest)) if (slot >= since && slot <= until) flags[(slot % 255) + 1] = 1;
        expect(at(newest).window(since, until)).toEqual(flags);
        // The same of one that was asked for others before.
        expect(other.window(since, until)).toEqual(flags);
      }
    }
  });
});
