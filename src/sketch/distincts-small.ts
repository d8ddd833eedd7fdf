/**
 * Small sets: `hash → stamp of its last sight`, exact, up to 256 entries. Open addressing with linear probing (Knuth,
 * TAOCP 3, 6.4 algorithm L) in one block of the arena:
 *
 *   ┊ head ┊ hash ┊ hash ┊ … capacity words ┊ stamps, a byte each, 0 = free place ┊
 *   head = 0 (bit 0) │ class << 1 │ entries << 8
 *
 * An entry's first place is `hash · capacity / 2³²` (Lemire, "Fast random integer generation in an interval", 2019), so
 * that a capacity may be any number: steps of about 1.6 waste less than doubling. Hashes are keyed, hence uniform.
 */
import { layoutOf } from "../base/image.ts";
import type { Arena } from "./arena.ts";
import type { Stamps } from "./distincts-stamps.ts";

/** Entries past which a set becomes large. */
export const SMALL_MAX = 256;

/** Places by class; multiples of four, so that the stamps fill whole words. */
const CAPACITIES = Uint16Array.of(4, 8, 12, 20, 32, 48, 76, 120, 192, 340);
/** Entries by class: at most five sixths, so that a probe ends soon. */
const LIMITS = CAPACITIES.map((capacity) => Math.min(Math.floor((capacity * 5) / 6), SMALL_MAX));

/** Of an image's small sets. */
export const SMALL_LAYOUT = layoutOf("small", SMALL_MAX, ...CAPACITIES, ...LIMITS);

const classOf = (head: number) => (head >>> 1) & 15;

export class Small {
  /** Outcome of the last `add`: 1 = new. */
  fresh = 0;
  readonly #arena: Arena;
  readonly #stamps: Stamps;
  /** Entries on their way from one block to another. */
  readonly #hashes = new Uint32Array(SMALL_MAX);
  readonly #held = new Uint8Array(SMALL_MAX);

  constructor(arena: Arena, stamps: Stamps) {
    this.#arena = arena;
    this.#stamps = stamps;
  }

  /** An empty table with room for `entries` ≤ SMALL_MAX. */
  create(entries: number): number {
    let step = 0;
    while (LIMITS[step]! < entries) step++;
    const set = this.#arena.alloc(blockWords(step));
    this.#arena.words[set] = step << 1;
    return set;
  }

  size(set: number): number {
    return this.#arena.words[set]! >>> 8;
  }

  wordsOf(set: number): number {
    return blockWords(classOf(this.#arena.words[set]!));
  }

  /**
   * `hash`: a signed 32-bit number. Answers the set's handle, or 0 when the hash is new and the set already holds SMALL_MAX:
   * nothing has changed then.
   */
  add(set: number, hash: number, stamp: number): number {
    const { words, bytes } = this.#arena;
    const head = words[set]!;
    const step = classOf(head);
    const capacity = CAPACITIES[step]!;
    const hashes = set + 1;
    const stamps = (hashes + capacity) << 2;
    let at = ((hash >>> 16) * capacity) >>> 16;
    for (;;) {
      const held = bytes[stamps + at]!;
      if (held === 0) break;
      if ((words[hashes + at]! | 0) === hash) {
        this.fresh = 0;
        if (held !== stamp) bytes[stamps + at] = this.#stamps.later(stamp, held);
        return set;
      }
      if (++at === capacity) at = 0;
    }
    const entries = head >>> 8;
    if (entries === LIMITS[step]) {
      return entries === SMALL_MAX ? 0 : this.add(this.#resize(set, entries + 1), hash, stamp);
    }
    this.fresh = 1;
    words[set] = head + 256;
    words[hashes + at] = hash;
    bytes[stamps + at] = stamp;
    return set;
  }

  /** Entries whose stamp is flagged. */
  count(set: number, flags: Uint8Array): number {
    const { words, bytes } = this.#arena;
    const capacity = CAPACITIES[classOf(words[set]!)]!;
    const from = (set + 1 + capacity) << 2;
    let count = 0;
    for (let at = from; at < from + capacity; at++) count += flags[bytes[at]!]!;
    return count;
  }

  /** Keeps the entries whose stamp is flagged. Answers the set's handle, 0 when none is left. */
  keep(set: number, flags: Uint8Array): number {
    const alive = this.count(set, flags);
    if (alive === this.size(set)) return set;
    if (alive > 0) return this.#resize(set, alive, flags);
    this.release(set);
    return 0;
  }

  release(set: number): void {
    this.#arena.release(set, this.wordsOf(set));
  }

  /** Calls `entry` for each entry; it must not add to the same arena while it is called. */
  each(set: number, entry: (hash: number, stamp: number) => void): void {
    const { words, bytes } = this.#arena;
    const capacity = CAPACITIES[classOf(words[set]!)]!;
    const stamps = (set + 1 + capacity) << 2;
    for (let at = 0; at < capacity; at++) {
      const stamp = bytes[stamps + at]!;
      if (stamp !== 0) entry(words[set + 1 + at]!, stamp);
    }
  }

  /** Copies the entries out, for callers that add to the arena while they go through them. */
  drain(set: number): { hashes: Uint32Array; stamps: Uint8Array } {
    const entries = this.#load(set);
    return { hashes: this.#hashes.slice(0, entries), stamps: this.#held.slice(0, entries) };
  }

  /** The flagged entries (all without flags) in a block with room for `room` of them. */
  #resize(set: number, room: number, flags?: Uint8Array): number {
    const entries = this.#load(set, flags);
    this.release(set);
    const resized = this.create(room);
    const { words, bytes } = this.#arena;
    const capacity = CAPACITIES[classOf(words[resized]!)]!;
    const stamps = (resized + 1 + capacity) << 2;
    words[resized]! += entries << 8;
    for (let i = 0; i < entries; i++) {
      const hash = this.#hashes[i]!;
      let at = ((hash >>> 16) * capacity) >>> 16;
      while (bytes[stamps + at] !== 0) if (++at === capacity) at = 0;
      words[resized + 1 + at] = hash;
      bytes[stamps + at] = this.#held[i]!;
    }
    return resized;
  }

  #load(set: number, flags?: Uint8Array): number {
    let entries = 0;
    this.each(set, (hash, stamp) => {
      if (flags !== undefined && flags[stamp] === 0) return;
      this.#hashes[entries] = hash;
      this.#held[entries++] = stamp;
    });
    return entries;
  }
}

function blockWords(step: number): number {
  const capacity = CAPACITIES[step]!;
  return 1 + capacity + capacity / 4;
}
