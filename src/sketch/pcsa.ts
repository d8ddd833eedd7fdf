/**
 * Large sets: windowed probabilistic counting with stochastic averaging. A hash falls into one of m cells (its top bits)
 * at a rank (trailing zeros of its low bits: 0 half the time, 1 a quarter, …), as in Flajolet and Martin, "Probabilistic
 * Counting Algorithms for Data Base Applications", 1985. Where they keep a bit, one byte says when the place was last hit
 * (timestamp vectors: Kim et al. 2003; sliding HyperLogLog: Chabchoub and Hébrail 2010), so that any window that ends now
 * has its own sketch: the places hit within it.
 *
 *   ┊ head ┊ free ┊ carry ┊ entries ┊ hits[21] ┊ rank 0: m stamps ┊ rank 1 ┊ … ┊ rare places, open addressing ┊
 *
 *   head      1 (bit 0) │ log₂ m << 1 │ dense ranks << 5 │ step of the rare table << 10
 *   free      m · 2²⁰ · probability that a new identity hits a place that nothing holds: a whole number
 *   carry     2³² · what `fresh` has not paid out yet
 *   hits[r]   places held at rank r
 *   rare      a word each: rank << 24 │ cell << 8 │ stamp, 0 = free; places at ranks past the dense ones
 *
 * Ranks low enough to be crowded are dense; the few hits above them are rare entries. When their table is full it grows,
 * and at its largest the lowest of its ranks becomes dense. What a set holds does not depend on that history: it is the
 * later stamp of every place, so merging is the union, and half the cells are the later of each two.
 */
import type { Arena } from "./arena.ts";
import type { Stamps } from "./distincts-stamps.ts";
import { RANK_MAX, RANK_STOP, RANKS, weight } from "./pcsa-estimate.ts";
import {
  blockWords,
  CARRY,
  denseOf,
  ENTRIES,
  enterRare,
  FREE,
  fittingForm,
  HEADER_WORDS,
  HITS,
  LOG_CELLS_MAX,
  largerForm,
  logOf,
  rareCapacity,
  rareLimit,
  reshape,
  smallestForm,
  stepOf,
} from "./pcsa-layout.ts";

export class Pcsa {
  /** Outcome of the last `add`: the identities that it stands for. */
  fresh = 0;
  readonly #arena: Arena;
  readonly #stamps: Stamps;
  readonly #row = new Uint8Array(1 << LOG_CELLS_MAX);

  constructor(arena: Arena, stamps: Stamps) {
    this.#arena = arena;
    this.#stamps = stamps;
  }

  /** A sketch of 2^log cells that holds nothing. */
  create(log: number): number {
    return this.#create(smallestForm(log));
  }

  isEmpty(set: number): boolean {
    return this.#arena.words[set + FREE] === 2 ** (this.logCells(set) + RANK_MAX);
  }

  logCells(set: number): number {
    return logOf(this.#arena.words[set]!);
  }

  wordsOf(set: number): number {
    return blockWords(this.#arena.words[set]!);
  }

  /** Places held, by rank: a view, valid until the arena grows. */
  hits(set: number): Uint32Array {
    return this.#arena.words.subarray(set + HITS, set + HEADER_WORDS);
  }

  release(set: number): void {
    this.#arena.release(set, this.wordsOf(set));
  }

  /** Notes a hash (here and below a signed 32-bit number); answers the set's handle. */
  add(set: number, hash: number, stamp: number): number {
    const free = this.#arena.words[set + FREE]!;
    const moved = this.putHash(set, hash, stamp);
    this.fresh = 0;
    if (this.#arena.words[moved + FREE] !== free) this.#pay(moved, free);
    return moved;
  }

  /** Notes a hash whose novelty is known from elsewhere: leaves `fresh` and what it owes alone. */
  putHash(set: number, hash: number, stamp: number): number {
    const low = hash | RANK_STOP;
    return this.put(set, 31 - Math.clz32(low & -low), hash >>> (32 - this.logCells(set)), stamp);
  }

  /** The later of what a place holds and `stamp`; answers the set's handle. */
  put(set: number, rank: number, cell: number, stamp: number): number {
    const { words, bytes } = this.#arena;
    const head = words[set]!;
    if (rank >= denseOf(head)) return this.#putRare(set, rank, cell, stamp);
    const at = ((set + HEADER_WORDS) << 2) + (rank << logOf(head)) + cell;
    const held = bytes[at]!;
    if (held === 0) this.#occupy(set, rank);
    bytes[at] = this.#stamps.later(stamp, held);
    return set;
  }

  /** Stamps of all cells at one rank, in a buffer that the next call fills anew. */
  row(set: number, rank: number): Uint8Array {
    const { words, bytes } = this.#arena;
    const head = words[set]!;
    const log = logOf(head);
    const row = this.#row.subarray(0, 1 << log);
    if (rank < denseOf(head)) {
      const from = ((set + HEADER_WORDS) << 2) + (rank << log);
      row.set(bytes.subarray(from, from + row.length));
      return row;
    }
    row.fill(0);
    if (words[set + HITS + rank] === 0) return row;
    const end = set + blockWords(head);
    for (let at = end - rareCapacity(log, stepOf(head)); at < end; at++) {
      // A free place reads as rank 0, which is always dense.
      const entry = words[at]!;
      if (entry >>> 24 === rank) row[(entry >>> 8) & 0xffff] = entry & 255;
    }
    return row;
  }

  /** Adds up, by rank, the places whose stamp is flagged. */
  count(set: number, flags: Uint8Array, into: Uint32Array): void {
    const { words } = this.#arena;
    const head = words[set]!;
    const rowWords = (1 << logOf(head)) >>> 2;
    const dense = denseOf(head);
    into.fill(0);
    let at = set + HEADER_WORDS;
    for (let rank = 0; rank < dense; rank++) {
      let hits = 0;
      // Four stamps a word: half the loads.
      for (const end = at + rowWords; at < end; at++) {
        const four = words[at]!;
        hits +=
          flags[four & 255]! + flags[(four >>> 8) & 255]! + flags[(four >>> 16) & 255]! + flags[four >>> 24]!;
      }
      into[rank] = hits;
    }
    // A free place has stamp 0, which no window flags.
    for (const end = set + blockWords(head); at < end; at++)
      into[words[at]! >>> 24]! += flags[words[at]! & 255]!;
  }

  /** Keeps the places whose stamp is flagged. Answers the set's handle, 0 when none is left. */
  keep(set: number, flags: Uint8Array): number {
    const { words, bytes } = this.#arena;
    const head = words[set]!;
    const cells = 1 << logOf(head);
    const dense = denseOf(head);
    let at = (set + HEADER_WORDS) << 2;
    for (let rank = 0; rank < dense; rank++) {
      let gone = 0;
      for (const end = at + cells; at < end; at++) {
        if (bytes[at] === 0 || flags[bytes[at]!] !== 0) continue;
        bytes[at] = 0;
        gone++;
      }
      this.#vacate(set, rank, gone);
    }
    // A hole would cut a probe short, so what stays is entered anew.
    const rare = words.slice(at >>> 2, set + blockWords(head));
    words.fill(0, at >>> 2, set + blockWords(head));
    words[set + ENTRIES] = 0;
    for (const entry of rare) {
      if (entry === 0) continue;
      if (flags[entry & 255] === 0) this.#vacate(set, entry >>> 24, 1);
      else enterRare(words, set, entry);
    }
    if (this.isEmpty(set)) {
      this.release(set);
      return 0;
    }
    const fitting = fittingForm(logOf(head), this.hits(set));
    // Some slack, so that a set which breathes does not move with every breath.
    return blockWords(fitting) < blockWords(head) * 0.75 ? reshape(this.#arena, set, fitting) : set;
  }

  /** The same with half the cells. */
  fold(set: number): number {
    const log = this.logCells(set) - 1;
    // Folding only empties places, so what fits the unfolded hits holds the folded ones.
    let folded = this.#create(fittingForm(log, this.hits(set)));
    for (let rank = 0; rank < RANKS; rank++) {
      if (this.#arena.words[set + HITS + rank] === 0) continue;
      const row = this.row(set, rank);
      for (let cell = 0; cell < row.length; cell++) {
        if (row[cell] !== 0) folded = this.put(folded, rank, cell >>> 1, row[cell]!);
      }
    }
    this.#arena.words[folded + CARRY] = this.#arena.words[set + CARRY]!;
    this.release(set);
    return folded;
  }

  #create(head: number): number {
    const set = this.#arena.alloc(blockWords(head));
    const { words } = this.#arena;
    words[set] = head;
    words[set + FREE] = 2 ** (logOf(head) + RANK_MAX);
    return set;
  }

  /** `fresh` of a new hit: the inverse of the probability of one, before it (HIP: Cohen 2014, Ting 2014). */
  #pay(set: number, free: number): void {
    const { words } = this.#arena;
    const due = 2 ** (this.logCells(set) + RANK_MAX) / free + words[set + CARRY]! / 2 ** 32;
    this.fresh = due | 0;
    words[set + CARRY] = (due - this.fresh) * 2 ** 32;
  }

  #occupy(set: number, rank: number): void {
    const { words } = this.#arena;
    words[set + FREE]! -= weight(rank);
    words[set + HITS + rank]! += 1;
  }

  #vacate(set: number, rank: number, places: number): void {
    const { words } = this.#arena;
    words[set + FREE]! += weight(rank) * places;
    words[set + HITS + rank]! -= places;
  }

  #putRare(set: number, rank: number, cell: number, stamp: number): number {
    const { words } = this.#arena;
    const head = words[set]!;
    const log = logOf(head);
    const capacity = rareCapacity(log, stepOf(head));
    const from = set + blockWords(head) - capacity;
    const key = (rank << 16) | cell;
    for (let i = (cell * capacity) >>> log; ; ) {
      const entry = words[from + i]!;
      if (entry === 0) break;
      if (entry >>> 8 === key) {
        words[from + i] = (key << 8) | this.#stamps.later(stamp, entry & 255);
        return set;
      }
      if (++i === capacity) i = 0;
    }
    if (words[set + ENTRIES]! >= rareLimit(log, stepOf(head))) {
      const form = largerForm(head, words[set + ENTRIES]!, this.hits(set));
      return this.put(reshape(this.#arena, set, form), rank, cell, stamp);
    }
    this.#occupy(set, rank);
    enterRare(words, set, (key << 8) | stamp);
    return set;
  }
}
