/** A pane: the tallies of the fingerprints touched in one slot or one minute, as rows of one growing table. */
import { addTally, countFlags, TALLY_WIDTH, type Tally } from "./tally.ts";

const FIRST_ROWS = 4;

export class Pane {
  readonly #rowOf = new Map<number, number>();
  #table = new Uint32Array(FIRST_ROWS * TALLY_WIDTH);

  /** Fingerprint ids with a row here. */
  ids(): IterableIterator<number> {
    return this.#rowOf.keys();
  }

  get bytes(): number {
    // A Map entry of two small integers takes about 40 bytes in V8.
    return this.#table.byteLength + this.#rowOf.size * 40;
  }

  /** Adds one observation of fingerprint `id`. */
  count(id: number, flags: number): void {
    // The row first: making it may replace the table, and a write to the old one would be lost.
    const at = this.#at(id);
    countFlags(this.#table, at, flags);
  }

  /** Adds one to a single column. */
  increment(id: number, column: number): void {
    const at = this.#at(id);
    this.#table[at + column]! += 1;
  }

  /** The row of a fingerprint; a view that is valid until the next write. */
  row(id: number): Tally | undefined {
    const row = this.#rowOf.get(id);
    return row === undefined ? undefined : this.#table.subarray(row * TALLY_WIDTH, (row + 1) * TALLY_WIDTH);
  }

  /** Adds every row to a dense table with one row per fingerprint id. */
  addTo(dense: Uint32Array): void {
    for (const [id, row] of this.#rowOf) addTally(dense, id * TALLY_WIDTH, this.#table, row * TALLY_WIDTH);
  }

  /** Adds the row of one fingerprint to a tally. */
  addRowTo(id: number, tally: Tally): void {
    const row = this.#rowOf.get(id);
    if (row !== undefined) addTally(tally, 0, this.#table, row * TALLY_WIDTH);
  }

  /** Column start of the fingerprint's row, made when it is not there. */
  #at(id: number): number {
    let row = this.#rowOf.get(id);
    if (row === undefined) {
      row = this.#rowOf.size;
      if ((row + 1) * TALLY_WIDTH > this.#table.length) {
        const grown = new Uint32Array(this.#table.length * 2);
        grown.set(this.#table);
        this.#table = grown;
      }
      this.#rowOf.set(id, row);
    }
    return row * TALLY_WIDTH;
  }
}
