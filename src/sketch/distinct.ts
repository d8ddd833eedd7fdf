/**
 * Distinct counts over any window up to an hour: a table `hash → last slot in which it was seen`, exact.
 *
 * Open addressing with linear probing (Knuth, TAOCP 3, 6.4 algorithm L) in two typed arrays that grow by doubling:
 *
 *   hashes  u32 ┊ h ┊ · ┊ h ┊ h ┊ · ┊ …      slots  u32 ┊ slot+1 ┊ 0 ┊ slot+1 ┊ … ┊   (0 = empty)
 *
 * A window's count is the number of entries last seen in it, so one table answers for 1m, 5m and 1h. Merge = the
 * later slot of each hash: commutative, associative, idempotent; the empty table is the identity.
 * Hashes are 32 bits: two identities collide with probability 2⁻³² each pair, about 10⁻⁵ among 256.
 */

const FIRST_CAPACITY = 8;

export class Distinct {
  #hashes = new Uint32Array(FIRST_CAPACITY);
  #slots = new Uint32Array(FIRST_CAPACITY);
  #size = 0;

  /** Entries held, expired ones included until the next `expire`. */
  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    return this.#hashes.byteLength + this.#slots.byteLength;
  }

  /** Notes that `hash` was seen in `slot`. Answers true when the table had not held it. */
  add(hash: number, slot: number): boolean {
    if ((this.#size + 1) * 4 > this.#hashes.length * 3) this.#rehash(this.#hashes.length * 2, 0);
    const stamp = slot + 1;
    const mask = this.#hashes.length - 1;
    // The hashes are keyed already, so their low bits are as good as any.
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const held = this.#slots[at]!;
      if (held === 0) {
        this.#hashes[at] = hash;
        this.#slots[at] = stamp;
        this.#size++;
        return true;
      }
      if (this.#hashes[at] === hash) {
        // Late data must not make an entry look older than it is.
        if (stamp > held) this.#slots[at] = stamp;
        return false;
      }
    }
  }

  /** Number of hashes last seen in a slot ≥ `sinceSlot`. */
  count(sinceSlot: number): number {
    let count = 0;
    for (const stamp of this.#slots) if (stamp > sinceSlot) count++;
    return count;
  }

  /** Forgets what was last seen before `sinceSlot` and gives memory back. */
  expire(sinceSlot: number): void {
    const alive = this.count(sinceSlot);
    if (alive === this.#size) return;
    let capacity = FIRST_CAPACITY;
    while ((alive + 1) * 4 > capacity * 3) capacity *= 2;
    this.#rehash(capacity, sinceSlot);
  }

  /** this ∪= other; what both know keeps the later slot. */
  merge(other: Distinct): void {
    other.#slots.forEach((stamp, at) => {
      if (stamp !== 0) this.add(other.#hashes[at]!, stamp - 1);
    });
  }

  #rehash(capacity: number, sinceSlot: number): void {
    const hashes = this.#hashes;
    const slots = this.#slots;
    this.#hashes = new Uint32Array(capacity);
    this.#slots = new Uint32Array(capacity);
    this.#size = 0;
    const mask = capacity - 1;
    for (let from = 0; from < hashes.length; from++) {
      const stamp = slots[from]!;
      if (stamp <= sinceSlot) continue;
      let at = hashes[from]! & mask;
      while (this.#slots[at] !== 0) at = (at + 1) & mask;
      this.#hashes[at] = hashes[from]!;
      this.#slots[at] = stamp;
      this.#size++;
    }
  }
}
