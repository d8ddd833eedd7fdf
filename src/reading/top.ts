/**
 * The first few of many, in one pass: a binary heap with the last of them at its root (Williams 1964, heapsort), so that
 * most entries cost one comparison and none an object.
 */

/** Whether entry a comes before entry b; a strict order over all entries. */
export type ComesBefore = (aValue: number, aId: number, bValue: number, bId: number) => boolean;

export class Top {
  readonly #values: Float64Array;
  readonly #ids: Uint32Array;
  readonly #comesBefore: ComesBefore;
  #size = 0;

  /** `room`: how many to keep, at least 1. */
  constructor(room: number, comesBefore: ComesBefore) {
    this.#values = new Float64Array(room);
    this.#ids = new Uint32Array(room);
    this.#comesBefore = comesBefore;
  }

  /** Whether the entry is one of the first so far: what costs more than a comparison can be asked after this. */
  takes(value: number, id: number): boolean {
    return this.#size < this.#ids.length || this.#comesBefore(value, id, this.#values[0]!, this.#ids[0]!);
  }

  /** Takes the entry if it is one of the first so far. */
  offer(value: number, id: number): void {
    if (this.#size < this.#ids.length) this.#rise(value, id);
    else if (this.takes(value, id)) this.#sink(value, id);
  }

  /** What was kept, in order. */
  sorted(): { value: number; id: number }[] {
    return Array.from({ length: this.#size }, (_, i) => ({
      value: this.#values[i]!,
      id: this.#ids[i]!,
    })).sort((a, b) => (this.#comesBefore(a.value, a.id, b.value, b.id) ? -1 : 1));
  }

  /** Adds an entry at the end and moves it up past those that come before it. */
  #rise(value: number, id: number): void {
    let at = this.#size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#comesBefore(this.#values[parent]!, this.#ids[parent]!, value, id)) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#values[at] = value;
    this.#ids[at] = id;
  }

  /** Puts an entry in place of the root and moves it down past those that come after it. */
  #sink(value: number, id: number): void {
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#size) break;
      // The child that comes last.
      if (child + 1 < this.#size && this.#isBefore(child, child + 1)) child++;
      if (!this.#comesBefore(value, id, this.#values[child]!, this.#ids[child]!)) break;
      this.#move(child, at);
      at = child;
    }
    this.#values[at] = value;
    this.#ids[at] = id;
  }

  #isBefore(a: number, b: number): boolean {
    return this.#comesBefore(this.#values[a]!, this.#ids[a]!, this.#values[b]!, this.#ids[b]!);
  }

  #move(from: number, to: number): void {
    this.#values[to] = this.#values[from]!;
    this.#ids[to] = this.#ids[from]!;
  }
}
