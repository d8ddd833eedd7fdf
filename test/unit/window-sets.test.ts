/** The index under churn, distinct counts of fingerprints in full, and who is looked at when room is made. */
import { describe, expect, it } from "vitest";
import { DOOR_SIGHTINGS, FRAME_ROWS_MAX, VICTIM_SAMPLE } from "../../src/config.ts";
import { IdentitySets, observedRows } from "../../src/window/identity-sets.ts";
import { KeyIndex } from "../../src/window/key-index.ts";
import { NEW_IPS, NEW_UAS, REQS } from "../../src/window/tally.ts";
import { Window } from "../../src/window/window.ts";
import { mixed, randomHashes } from "../support/hashes.ts";
import { frameOf, ja4Of, type Observed } from "../support/window-frames.ts";

const NOON = Date.parse("2026-11-23T12:00:00Z");

describe("key index", () => {
  // Homes all over, and homes within a few places at both ends, so that runs of entries wrap.
  it.each([
    ["everywhere", (n: number) => mixed(n)],
    ["at both ends", (n: number) => (0xffffffff - (mixed(n) >>> 4) + 0x06000000) >>> 0],
  ])("WIN-12: entries are found while others come and go (seed 5), homes %s", (_, hashOf) => {
    const hashes = new Map<number, number>();
    const index = new KeyIndex(
      (id) => hashes.get(id)!,
      (id, keys, at) => keys[at] === id,
    );
    const next = randomHashes(5);
    const key = Uint32Array.of(0, 0, 0);
    let id = 1;
    for (let step = 0; step < 1_500; step++) {
      if (hashes.size < 30 || (hashes.size < 54 && next() % 2 === 0)) {
        hashes.set(id, hashOf(id));
        index.add(id, hashOf(id));
        id++;
      } else {
        const gone = [...hashes.keys()][next() % hashes.size]!;
        index.remove(gone);
        const hash = hashes.get(gone)!;
        hashes.delete(gone);
        key[2] = gone;
        expect(index.find(hash, key, 2)).toBe(-1);
      }
      for (const [held, hash] of hashes) {
        key[2] = held;
        if (index.find(hash, key, 2) !== held) expect([step, held]).toEqual(["not found", -1]);
      }
    }
    expect(index.byteLength).toBe(256);
  });
});

describe("identity sets", () => {
  it("CAP-6: sets are halved down to 256 cells and no further, those of one fingerprint only", () => {
    const sets = new IdentitySets();
    for (const index of [0, 1, 2]) sets.add(index);
    for (const index of [0, 1, 2]) for (let i = 0; i < 4_000; i++) sets.see(index, 2, mixed(i), 100);
    sets.see(1, 4, 64_500, 100);
    const others = [sets.count(0, 2, 0, 100), sets.count(2, 2, 0, 100)];
    let folds = 0;
    const sizes = [sets.usedBytes];
    while (sets.canFold(1)) {
      sets.fold(1);
      folds++;
      sizes.push(sets.usedBytes);
      expect(Math.abs(sets.countHour(1, 2) / 4_000 - 1)).toBeLessThan(0.15);
    }
    expect(folds).toBe(2);
    expect(sizes.every((size, i) => i === 0 || size < sizes[i - 1]!)).toBe(true);
    expect([sets.count(0, 2, 0, 100), sets.count(2, 2, 0, 100)]).toEqual(others);
    expect([sets.countHour(1, 4), sets.countHour(1, 0), sets.canFold(1)]).toEqual([1, 0, false]);
    sets.fold(1);
    expect(sets.usedBytes).toBe(sizes[sizes.length - 1]);
    // The others leave one by one; what they took is free, and is given back.
    sets.expire(0, 101);
    expect([sets.countHour(0, 2), sets.count(2, 2, 0, 100)]).toEqual([0, others[1]]);
    sets.remove(2);
    const before = sets.byteLength;
    const used = sets.usedBytes;
    sets.compact(0.5);
    expect(sets.byteLength).toBeLessThan(before);
    expect([sets.usedBytes, sets.countHour(1, 4), sets.countHour(2, 2)]).toEqual([used, 1, 0]);
    const packed = sets.byteLength;
    sets.compact(0.5);
    expect(sets.byteLength).toBe(packed);
    expect(Math.abs(sets.countHour(1, 2) / 4_000 - 1)).toBeLessThan(0.15);
  });

  it("CAP-7: handles grow with the indices, by a quarter", () => {
    const sets = new IdentitySets();
    const empty = sets.byteLength;
    for (let index = 0; index < 16; index++) sets.add(index);
    expect(sets.byteLength).toBe(empty);
    sets.add(16);
    // 16 indices, then ⌈17 · 1.25⌉ = 22: five handles of 4 bytes each.
    expect(sets.byteLength).toBe(empty + 6 * 20);
    sets.see(16, 4, 7, 100);
    sets.add(21);
    expect([sets.count(16, 4, 100, 100), sets.see(16, 4, 7, 101)]).toEqual([1, 0]);
    expect(observedRows().rows.length).toBe(FRAME_ROWS_MAX);
  });

  it("WIN-1: what the hour had not seen is counted once, and in lumps where a set is large", () => {
    const window = new Window(3);
    const send = (from: number, to: number) => {
      const one = (i: number): Observed => ({
        at: NOON,
        ja4: ja4Of(1),
        ip: mixed(i),
        ua: mixed(i % 50),
        asn: i,
      });
      window.apply(frameOf(Array.from({ length: to - from }, (_, i) => one(from + i))), NOON);
    };
    send(0, 200);
    send(100, 240);
    const id = window.fingerprints.id(ja4Of(1))!;
    const newOf = () => [
      window.tally(id, "1h")[REQS],
      window.tally(id, "1h")[NEW_IPS],
      window.tally(id, "1h")[NEW_UAS],
    ];
    expect(newOf()).toEqual([340, 240, 50]);
    for (let from = 240; from < 9_240; from += 3_000) send(from, from + 3_000);
    const [reqs, ips, uas] = newOf();
    expect([reqs, uas]).toEqual([9_340, 50]);
    expect(Math.abs(ips! / 9_240 - 1)).toBeLessThan(0.06);
    for (const name of ["1m", "5m"] as const) expect(window.tally(id, name)[NEW_IPS]).toBe(ips);
  });
});

describe("making room", () => {
  it("CAP-9: a round looks at the next so many fingerprints, the one after at those behind", () => {
    const window = new Window(3, { fingerprints: 100 });
    // All have two requests but one that is past the first round.
    const times = (n: number) => (n === 80 ? 1 : 2);
    const held = Array.from({ length: 100 }, (_, i) => i + 1);
    window.apply(
      frameOf(held.flatMap((n) => Array.from({ length: times(n) }, () => ({ at: NOON - n, ja4: ja4Of(n) })))),
      NOON,
    );
    const missing = () => held.filter((n) => window.fingerprints.id(ja4Of(n)) === undefined);
    const comes = (n: number) =>
      window.apply(
        frameOf(Array.from({ length: DOOR_SIGHTINGS + 5 }, () => ({ at: NOON, ja4: ja4Of(n) }))),
        NOON,
      );
    comes(1_000);
    // Ids rise with the numbers; the first looked at is the second of them.
    expect(missing()).toEqual([1 + VICTIM_SAMPLE]);
    comes(1_001);
    expect(missing()).toEqual([1 + VICTIM_SAMPLE, 80]);
    expect(window.pressure().evicted).toBe(2);
  });

  it("CAP-9: rows have a limit of their own", () => {
    const window = new Window(3, { rows: 5 });
    window.apply(frameOf([1, 1, 1, 2, 3].map((n, i) => ({ at: NOON - i, ja4: ja4Of(n) }))), NOON);
    expect([window.fingerprints.size, window.pressure().evicted]).toEqual([3, 0]);
    // No room for a row, and no third sighting.
    window.apply(frameOf([{ at: NOON, ja4: ja4Of(4) }]), NOON);
    expect([window.fingerprints.size, window.total("1h").overflow]).toEqual([3, 1]);
    // A known one makes room for itself.
    window.apply(frameOf([{ at: NOON, ja4: ja4Of(1) }]), NOON);
    expect([window.fingerprints.id(ja4Of(3)), window.total("1h").overflow]).toEqual([undefined, 2]);
    expect(window.reqs(window.fingerprints.id(ja4Of(1))!, "1h")).toBe(4);
    expect(window.total("1h").all[REQS]).toBe(7);
  });
});
