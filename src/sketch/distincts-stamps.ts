/**
 * Slots of time as one byte: `stamp = slot mod 255 + 1`, 0 = never. What a stamp says depends on the newest slot that was
 * ever seen: it stands for the one slot of the 255 up to the newest that has it. So ages compare exactly as long as
 * nothing held is older than 254 slots, which the owner sees to by expiring in time.
 */

/** Number of slots that can be told apart. */
export const STAMP_SLOTS = 255;

export class Stamps {
  /** Newest slot seen. */
  newest = 0;
  newestStamp = 1;
  /** Of a window: flag by stamp, and which window it is. */
  readonly #flags = new Uint8Array(STAMP_SLOTS + 1);
  #from = 0;
  #to = -1;

  /** Makes `slot` known. False: it is so old that its stamp already means a later slot. */
  note(slot: number): boolean {
    if (slot > this.newest) {
      this.newest = slot;
      this.newestStamp = this.of(slot);
      return true;
    }
    return slot > this.newest - STAMP_SLOTS;
  }

  of(slot: number): number {
    return (slot % STAMP_SLOTS) + 1;
  }

  /** Slots before the newest, 0–254. */
  age(stamp: number): number {
    const age = this.newestStamp - stamp;
    return age < 0 ? age + STAMP_SLOTS : age;
  }

  /** The later of two stamps, or of one and 0. */
  later(a: number, b: number): number {
    if (a === 0 || b === 0) return a | b;
    return this.age(a) < this.age(b) ? a : b;
  }

  /** By stamp, 1 where it lies in slots `sinceSlot`..`untilSlot`. Valid until the next call. */
  window(sinceSlot: number, untilSlot: number): Uint8Array {
    const from = Math.max(sinceSlot, this.newest - STAMP_SLOTS + 1, 0);
    const to = Math.min(untilSlot, this.newest);
    if (from !== this.#from || to !== this.#to) {
      this.#from = from;
      this.#to = to;
      this.#flags.fill(0);
      for (let slot = from; slot <= to; slot++) this.#flags[this.of(slot)] = 1;
    }
    return this.#flags;
  }
}
