/** Large sets against a Map of their places: two of them in one arena, so that one which writes past its end is seen in the other. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Arena } from "../../src/sketch/arena.ts";
import { Stamps } from "../../src/sketch/distincts-stamps.ts";
import { Pcsa } from "../../src/sketch/pcsa.ts";
import {
  blockWords,
  denseOf,
  ENTRIES,
  FREE,
  fittingForm,
  logOf,
  rareLimit,
  stepOf,
} from "../../src/sketch/pcsa-layout.ts";
import { randomHashes } from "../support/hashes.ts";
import { runs } from "../support/runs.ts";

const RANKS = 21;
/** Slots 0 to 254 are stamps 1 to 255: none is late. */
const NEWEST = 254;

/** 2²⁰ times the share of identities that come at a rank. */
const weightOf = (rank: number) => 2 ** (rank === 20 ? 0 : 19 - rank);

/** A set and what it should hold: `rank * 2^11 + cell` → slot. */
class Watched {
  set: number;
  log: number;
  readonly held = new Map<number, number>();
  readonly #arena: Arena;
  readonly #pcsa: Pcsa;

  constructor(arena: Arena, pcsa: Pcsa, log: number) {
    this.#arena = arena;
    this.#pcsa = pcsa;
    this.log = log;
    this.set = pcsa.create(log);
  }

  put(rank: number, cell: number, slot: number): void {
    this.set = this.#pcsa.put(this.set, rank, cell, slot + 1);
    this.noteHeld(rank, cell, slot);
  }

  noteHeld(rank: number, cell: number, slot: number): void {
    const key = rank * 2_048 + cell;
    this.held.set(key, Math.max(slot, this.held.get(key) ?? 0));
  }

  keep(flags: Uint8Array): void {
    for (const [key, slot] of this.held) if (flags[slot + 1] === 0) this.held.delete(key);
    this.set = this.#pcsa.keep(this.set, flags);
    if (this.set === 0) this.set = this.#pcsa.create(this.log);
  }

  fold(): void {
    this.set = this.#pcsa.fold(this.set);
    this.log--;
    const before = [...this.held];
    this.held.clear();
    for (const [key, slot] of before) this.noteHeld(Math.floor(key / 2_048), (key % 2_048) >>> 1, slot);
  }

  /** 2²⁰ · cells · probability that the next identity hits a place that nothing holds. */
  get free(): number {
    let free = 2 ** (20 + this.log);
    for (const key of this.held.keys()) free -= weightOf(Math.floor(key / 2_048));
    return free;
  }

  hits(flags: Uint8Array): number[] {
    const hits = new Array<number>(RANKS).fill(0);
    for (const [key, slot] of this.held) hits[Math.floor(key / 2_048)]! += flags[slot + 1]!;
    return hits;
  }

  check(flags: Uint8Array): void {
    const { set, log } = this;
    const rows = Array.from({ length: RANKS }, () => new Uint8Array(2 ** log));
    for (const [key, slot] of this.held) rows[Math.floor(key / 2_048)]![key % 2_048] = slot + 1;
    for (const [rank, row] of rows.entries()) expect(this.#pcsa.row(set, rank)).toEqual(row);
    const all = this.hits(new Uint8Array(256).fill(1));
    expect([...this.#pcsa.hits(set)]).toEqual(all);
    const counted = new Uint32Array(RANKS).fill(9);
    this.#pcsa.count(set, flags, counted);
    expect([...counted]).toEqual(this.hits(flags));
    const head = this.#arena.words[set]!;
    const entries = all.slice(denseOf(head)).reduce((a, b) => a + b, 0);
    expect(entries).toBeLessThanOrEqual(rareLimit(log, stepOf(head)));
    expect([this.#arena.words[set + ENTRIES], this.#arena.words[set + FREE]]).toEqual([entries, this.free]);
    expect([this.#pcsa.logCells(set), this.#pcsa.isEmpty(set)]).toEqual([log, this.held.size === 0]);
  }
}

function pair(log: number): { arena: Arena; stamps: Stamps; pcsa: Pcsa; sets: [Watched, Watched] } {
  const arena = new Arena();
  const stamps = new Stamps();
  stamps.note(NEWEST);
  const pcsa = new Pcsa(arena, stamps);
  return { arena, stamps, pcsa, sets: [new Watched(arena, pcsa, log), new Watched(arena, pcsa, log)] };
}

const slot = fc.nat({ max: NEWEST });
const which = fc.constantFrom(0, 1);
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      what: fc.constant("put" as const),
      which,
      // Runs of places, so that a few steps fill a table; the last cells wrap around its end.
      rank: fc.nat({ max: RANKS - 1 }),
      cell: fc.nat({ max: 127 }),
      cells: fc.integer({ min: 1, max: 30 }),
      slot,
    }),
  },
  fc.record({ what: fc.constant("keep" as const), which, since: slot }),
  fc.record({ what: fc.constant("fold" as const), which }),
);

describe("large sets", () => {
  it("PCSA-1: hold the later stamp of every place, whatever was put, kept and folded in them and beside them", () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 40 }),
        fc.integer({ min: 5, max: 7 }),
        slot,
        (steps, log, since) => {
          const { arena, stamps, pcsa, sets } = pair(log);
          for (const one of steps) {
            const watched = sets[one.which]!;
            if (one.what === "put")
              for (let i = 0; i < one.cells; i++)
                watched.put(one.rank, (one.cell + i) % 2 ** watched.log, one.slot);
            else if (one.what === "keep") watched.keep(stamps.window(one.since, NEWEST));
            else if (watched.log > 5) watched.fold();
            for (const each of sets) each.check(stamps.window(since, NEWEST));
            expect(arena.usedBytes).toBe(4 * (pcsa.wordsOf(sets[0].set) + pcsa.wordsOf(sets[1].set)));
          }
        },
      ),
      { numRuns: runs(60) },
    );
  });

  it("PCSA-2: a set moves after expiry only where less than three quarters of its block would do", () => {
    const outcomes = [0, 0];
    for (const seed of [1, 2, 3]) {
      for (let since = 0; since <= NEWEST; since += 6) {
        const { arena, stamps, pcsa, sets } = pair(7);
        const [watched] = sets;
        const next = randomHashes(seed);
        for (let i = 0; i < 2_000; i++) {
          const [hash, at] = [next() | 0, next() % (NEWEST + 1)];
          watched.set = pcsa.putHash(watched.set, hash, at + 1);
        }
        const [before, words] = [watched.set, pcsa.wordsOf(watched.set)];
        const after = pcsa.keep(before, stamps.window(since, NEWEST));
        const fitting = blockWords(fittingForm(logOf(arena.words[after]!), pcsa.hits(after)));
        const moves = fitting < words * 0.75;
        expect([after !== before, pcsa.wordsOf(after)]).toEqual([moves, moves ? fitting : words]);
        outcomes[moves ? 1 : 0]! += 1;
      }
    }
    // Both happened, and not rarely.
    expect(Math.min(...outcomes)).toBeGreaterThan(10);
  });

  it("PCSA-3: what is new adds up to the inverse of each hit's probability, and less than one is owed", () => {
    const hash = fc.tuple(fc.nat({ max: 2 ** 32 - 1 }), fc.nat({ max: 20 })).map(([bits, rank]) => {
      // As many trailing zeros; the cell's bits stay.
      return rank === 20 ? bits & ~0xfffff : (bits & -(2 ** rank)) | (1 << rank);
    });
    const sight = fc.record({ what: fc.constant("add" as const), hash, slot });
    const random = fc.record({ what: fc.constant("random" as const), seed: fc.nat(), slot });
    const change = fc.oneof(
      fc.record({ what: fc.constant("keep" as const), since: slot }),
      fc.record({ what: fc.constant("fold" as const) }),
    );
    const steps = fc.array(
      fc.oneof({ weight: 3, arbitrary: sight }, { weight: 3, arbitrary: random }, change),
      {
        maxLength: 40,
      },
    );
    fc.assert(
      fc.property(steps, fc.integer({ min: 5, max: 7 }), (list, log) => {
        const { stamps, pcsa, sets } = pair(log);
        const [watched] = sets;
        let [due, said] = [0, 0];
        const add = (hash: number, at: number) => {
          const free = watched.free;
          const size = watched.held.size;
          watched.set = pcsa.add(watched.set, hash, at + 1);
          const rank = hash & 0xfffff ? 31 - Math.clz32(hash & -hash) : 20;
          watched.noteHeld(rank, hash >>> (32 - watched.log), at);
          said += pcsa.fresh;
          if (watched.held.size === size) expect(pcsa.fresh).toBe(0);
          else due += 2 ** (watched.log + 20) / free;
          // 2⁻³² is rounded off at every hit.
          expect(due - said).toBeGreaterThan(-1e-6);
          expect(due - said).toBeLessThan(1 + 1e-6);
        };
        for (const one of list) {
          if (one.what === "add") add(one.hash | 0, one.slot);
          else if (one.what === "random") {
            const next = randomHashes(one.seed);
            for (let i = 0; i < 30; i++) add(next() | 0, one.slot);
          } else if (one.what === "fold") {
            if (watched.log > 5) watched.fold();
          } else {
            watched.keep(stamps.window(one.since, NEWEST));
            // An empty set is let go, and with it what it owes.
            if (watched.held.size === 0) [due, said] = [0, 0];
          }
          watched.check(stamps.window(0, NEWEST));
        }
      }),
      { numRuns: runs(100) },
    );
  });
});
