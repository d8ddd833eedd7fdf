/**
 * How many different identities were seen in any window up to an hour, for any number of sets, from one structure.
 *
 *   handle ─▶ block in the arena:  small (≤ 256 identities, exact)    hash → stamp           distincts-small.ts
 *                                  large                              cell × rank → stamp    pcsa.ts, pcsa-estimate.ts
 *             0 = the empty set                                       stamp = slot as a byte distincts-stamps.ts
 *
 * Both forms keep *when* each thing was last seen, so a window's count is the count of what was last seen within it; no
 * panes, and nothing to merge for an answer. Merging keeps the later stamp: commutative, associative, idempotent, with the
 * empty set as identity. A large set is what it would be had it been large from its first identity.
 *
 * Deviations from the papers in pcsa.ts: ranks stop at 20 (2²⁰ · m identities and more, far past 32-bit hashes' use), and
 * the ranks above the crowded ones share a small table.
 *
 * What the owner sees to:
 * - Hashes are 32 uniform bits (keyed, or mixed). Two identities share one with probability 2⁻³².
 * - Slots are absolute numbers ≥ 0 (STAMP_MS each). Every set is expired before anything in it is 255 slots (85 min) older
 *   than the newest slot that any call has named: its stamp would read as that newer slot again. So also before time jumps.
 */
import type { ImageReader, ImageWriter } from "../base/image.ts";
import { Arena } from "./arena.ts";
import { decodeSet, encodeEmpty, encodeLarge, encodeSmall, SetFormatError } from "./distincts-codec.ts";
import { readSets, writeSets } from "./distincts-image.ts";
import { Small } from "./distincts-small.ts";
import { STAMP_SLOTS, Stamps } from "./distincts-stamps.ts";
import { Pcsa } from "./pcsa.ts";
import { estimate, RANK_STOP, RANKS } from "./pcsa-estimate.ts";
import { denseOf, HEADER_WORDS, LARGE, LOG_CELLS_MAX, LOG_CELLS_MIN, logOf } from "./pcsa-layout.ts";

/** 2.03 % standard error, 15 KB at a million identities. */
const CELLS_DEFAULT = 1_024;

export interface DistinctsOptions {
  /** Cells of a large set, a power of two from 32 to 2,048. */
  cells?: number;
}

/** All sets of a shard. Handles change when a set moves: every call that may move it answers the new one. */
export class Distincts {
  /**
   * Outcome of the last `add`: how many identities it stands for that the set did not hold. 0 or 1 while the set is small;
   * then a whole number whose sum over all adds is unbiased, since what rounding leaves over is paid out later.
   */
  fresh = 0;
  readonly #arena = new Arena();
  readonly #stamps = new Stamps();
  readonly #small = new Small(this.#arena, this.#stamps);
  readonly #large = new Pcsa(this.#arena, this.#stamps);
  readonly #log: number;
  readonly #hits = new Uint32Array(RANKS);
  #sets = 0;
  #largeSets = 0;

  /** Throws a RangeError when `cells` is none of the possible numbers. */
  constructor({ cells = CELLS_DEFAULT }: DistinctsOptions = {}) {
    this.#log = Math.log2(cells);
    if (!Number.isInteger(this.#log) || this.#log < LOG_CELLS_MIN || this.#log > LOG_CELLS_MAX)
      throw new RangeError("cells must be a power of two from 32 to 2048");
  }

  /** Capacity of the buffer that all sets share, in bytes. */
  get byteLength(): number {
    return this.#arena.byteLength;
  }

  /** Bytes of the live sets. */
  get usedBytes(): number {
    return this.#arena.usedBytes;
  }

  /** Sets that are not empty. */
  get sets(): number {
    return this.#sets;
  }

  get largeSets(): number {
    return this.#largeSets;
  }

  /**
   * Notes that the identity was seen in `slot`. Late sights never make it look older; one 255 slots late is not noted.
   * `hash`: 32 bits, as a signed or an unsigned number. Loops should pass it signed (`| 0`): an engine keeps that as a small
   * integer, while an unsigned one past 2³¹ costs it an allocation wherever the call is not inlined.
   */
  add(set: number, hash: number, slot: number): number {
    const stamps = this.#stamps;
    let stamp = stamps.newestStamp;
    if (slot !== stamps.newest) {
      this.fresh = 0;
      if (!stamps.note(slot)) return set;
      stamp = stamps.of(slot);
    }
    const { words, bytes } = this.#arena;
    const head = words[set]!;
    if ((head & LARGE) === 0) return this.#addSmall(set, hash | 0, stamp);
    // A crowded place that was hit before, as nearly all were: its stamp is all that may change. Written out here, since
    // through calls it takes half as long again.
    const low = hash | RANK_STOP;
    const rank = 31 - Math.clz32(low & -low);
    const log = logOf(head);
    const at = ((set + HEADER_WORDS) << 2) + (rank << log) + (hash >>> (32 - log));
    if (rank < denseOf(head)) {
      const held = bytes[at]!;
      if (held !== 0) {
        if (held !== stamp) bytes[at] = stamps.later(stamp, held);
        this.fresh = 0;
        return set;
      }
    }
    const moved = this.#large.add(set, hash | 0, stamp);
    this.fresh = this.#large.fresh;
    return moved;
  }

  /** Identities last seen in slots `sinceSlot`..`nowSlot`: exact while small, else an estimate, rounded. */
  count(set: number, sinceSlot: number, nowSlot: number): number {
    if (set === 0) return 0;
    const flags = this.#stamps.window(sinceSlot, nowSlot);
    if (!this.#isLarge(set)) return this.#small.count(set, flags);
    this.#large.count(set, flags, this.#hits);
    return Math.round(estimate(this.#hits, 1 << this.#large.logCells(set)));
  }

  /** The same for everything that is held: right after `expire` the whole hour. Costs no scan of a large set. */
  countAll(set: number): number {
    if (!this.#isLarge(set)) return this.#small.size(set);
    return Math.round(estimate(this.#large.hits(set), 1 << this.#large.logCells(set)));
  }

  /** Forgets what was last seen before `sinceSlot` and gives memory back. Answers the set's handle, 0 when none is left. */
  expire(set: number, sinceSlot: number): number {
    if (set === 0) return 0;
    const flags = this.#stamps.window(sinceSlot, this.#stamps.newest);
    const large = this.#isLarge(set);
    const kept = large ? this.#large.keep(set, flags) : this.#small.keep(set, flags);
    if (kept === 0) this.#gone(large);
    return kept;
  }

  /** Forgets the whole set; the handle is void then. */
  free(set: number): void {
    if (set === 0) return;
    const large = this.#isLarge(set);
    if (large) this.#large.release(set);
    else this.#small.release(set);
    this.#gone(large);
  }

  /**
   * set ∪= otherSet, which stays as it is; of what both hold the later sight. Answers the set's handle. Of large sets
   * with different numbers of cells the union has the smallest one, and never more than this object was made with. `other` may be this object, and `otherSet` the set.
   */
  merge(set: number, other: Distincts, otherSet: number): number {
    if (otherSet === 0 || (other === this && otherSet === set)) return set;
    const slotOf = (stamp: number) => other.#stamps.newest - other.#stamps.age(stamp);
    if (!other.#isLarge(otherSet)) {
      const { hashes, stamps } = other.#small.drain(otherSet);
      let merged = set;
      for (const [i, hash] of hashes.entries()) merged = this.add(merged, hash, slotOf(stamps[i]!));
      return merged;
    }
    const log = other.#large.logCells(otherSet);
    let merged = this.#widen(set, log);
    const shift = log - this.#large.logCells(merged);
    for (let rank = 0; rank < RANKS; rank++) {
      const row = other.#large.row(otherSet, rank);
      for (let cell = 0; cell < row.length; cell++) {
        if (row[cell] !== 0) merged = this.#put(merged, rank, cell >>> shift, slotOf(row[cell]!));
      }
    }
    if (!this.#large.isEmpty(merged)) return merged;
    this.free(merged);
    return 0;
  }

  /** The set as bytes (format in distincts-codec.ts). */
  encode(set: number): Uint8Array {
    if (set === 0) return encodeEmpty();
    return this.#isLarge(set)
      ? encodeLarge(this.#large, this.#stamps, set)
      : encodeSmall(this.#small, this.#stamps, set);
  }

  /**
   * A new set from bytes; what is 255 slots older than the newest slot known is left out. Throws a SetFormatError, and has
   * changed nothing then, when they are no set, or one with sights after `untilSlot`: a wrong slot in the future would make
   * all other sets look old.
   */
  decode(bytes: Uint8Array, untilSlot = Number.POSITIVE_INFINITY): number {
    const decoded = decodeSet(bytes);
    const { slot } = decoded;
    if (slot > untilSlot) throw new SetFormatError("from the future");
    let set = 0;
    if (decoded.kind === "small") {
      for (const [i, hash] of decoded.hashes.entries()) set = this.add(set, hash, slot - decoded.ages[i]!);
      return set;
    }
    if (slot <= this.#stamps.newest - STAMP_SLOTS) return 0;
    set = this.#widen(0, decoded.log);
    const shift = decoded.log - this.#large.logCells(set);
    decoded.each((rank, cell, age) => {
      set = this.#put(set, rank, cell >>> shift, slot - age);
    });
    return set;
  }

  /** Halves the cells of a large set (not below 32): exactly what it would be had it been built with half. */
  fold(set: number): number {
    if (!this.#isLarge(set) || this.#large.logCells(set) === LOG_CELLS_MIN) return set;
    return this.#large.fold(set);
  }

  /** Cells of a large set; 0 while it is exact. */
  cellsOf(set: number): number {
    return this.#isLarge(set) ? 1 << this.#large.logCells(set) : 0;
  }

  /** Bytes of the set's block. */
  bytesOf(set: number): number {
    return set === 0 ? 0 : this.#wordsOf(set) * 4;
  }

  /**
   * Moves all sets together, which gives the gaps between them back. `visit` passes every live handle through `move` once
   * and stores what comes back (0 stays 0). Throws when a set was left out or passed twice.
   */
  compact(visit: (move: (set: number) => number) => void): void {
    this.#arena.compact((moveBlock) => {
      visit((set) => (set === 0 ? 0 : moveBlock(set, this.#wordsOf(set))));
    });
  }

  /** All sets, under the handles that they have. */
  writeImage(writer: ImageWriter): void {
    writeSets(writer, this.#arena, this.#stamps, this.#log, [this.#sets, this.#largeSets]);
  }

  readImage(reader: ImageReader): void {
    [this.#sets, this.#largeSets] = readSets(reader, this.#arena, this.#stamps, this.#log);
  }

  #addSmall(set: number, hash: number, stamp: number): number {
    if (set === 0) {
      this.#sets++;
      this.fresh = 1;
      return this.#small.add(this.#small.create(1), hash, stamp);
    }
    const moved = this.#small.add(set, hash, stamp);
    if (moved !== 0) {
      this.fresh = this.#small.fresh;
      return moved;
    }
    // The small set knew all of its own: this one is new for certain.
    this.fresh = 1;
    return this.#large.putHash(this.#enlarge(set, this.#log), hash, stamp);
  }

  /** Notes a place of a large set. */
  #put(set: number, rank: number, cell: number, slot: number): number {
    return this.#stamps.note(slot) ? this.#large.put(set, rank, cell, this.#stamps.of(slot)) : set;
  }

  /** The set as a large one of at most 2^cellsLog cells, and no more than this object's sets have. */
  #widen(set: number, cellsLog: number): number {
    const log = Math.min(cellsLog, this.#log);
    if (set === 0) {
      this.#sets++;
      this.#largeSets++;
      return this.#large.create(log);
    }
    let large = this.#isLarge(set) ? set : this.#enlarge(set, log);
    while (this.#large.logCells(large) > log) large = this.#large.fold(large);
    return large;
  }

  #enlarge(set: number, log: number): number {
    const { hashes, stamps } = this.#small.drain(set);
    this.#small.release(set);
    let large = this.#large.create(log);
    for (const [i, hash] of hashes.entries()) large = this.#large.putHash(large, hash, stamps[i]!);
    this.#largeSets++;
    return large;
  }

  #gone(large: boolean): void {
    this.#sets--;
    if (large) this.#largeSets--;
  }

  /** Whether it is a large set. The arena's word 0 is 0: the empty one reads as a small set without entries. */
  #isLarge(set: number): boolean {
    return (this.#arena.words[set]! & LARGE) !== 0;
  }

  #wordsOf(set: number): number {
    return this.#isLarge(set) ? this.#large.wordsOf(set) : this.#small.wordsOf(set);
  }
}
