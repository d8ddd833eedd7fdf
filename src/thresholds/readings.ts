/** The window's numbers of one fingerprint after the other: each is read when asked, once however many thresholds compare it. */
import type { WindowName } from "../config.ts";
import { windowNumber } from "../window/snapshot.ts";
import type { Window } from "../window/window.ts";
import type { Comparison, ThresholdSignal } from "./rule.ts";

interface Column {
  signal: ThresholdSignal;
  window: WindowName;
}

const NOBODY = -1;

export class Readings {
  readonly #window: Window;
  readonly #columns: Column[] = [];
  /** The column of a signal in a window. */
  readonly #byName = new Map<string, number>();
  readonly #values: (number | undefined)[] = [];
  /** Whose each value is. */
  readonly #readOf: number[] = [];
  #id = NOBODY;
  #ja4 = "";
  #ja4Of = NOBODY;

  constructor(window: Window) {
    this.#window = window;
  }

  /** Column of what a comparison looks at, for `value`. */
  column({ signal, window }: Pick<Comparison, "signal" | "window">): number {
    const name = `${signal} ${window}`;
    let column = this.#byName.get(name);
    if (column === undefined) {
      column = this.#columns.push({ signal, window }) - 1;
      this.#byName.set(name, column);
      this.#values.push(undefined);
      this.#readOf.push(NOBODY);
    }
    return column;
  }

  /** Goes on to this fingerprint. */
  moveTo(id: number): void {
    this.#id = id;
  }

  get ja4(): string {
    if (this.#ja4Of !== this.#id) {
      this.#ja4 = this.#window.fingerprints.ja4(this.#id);
      this.#ja4Of = this.#id;
    }
    return this.#ja4;
  }

  /** `undefined` = absent. */
  value(column: number): number | undefined {
    if (this.#readOf[column] !== this.#id) {
      const { signal, window } = this.#columns[column]!;
      this.#values[column] = windowNumber(this.#window, this.#id, window, signal);
      this.#readOf[column] = this.#id;
    }
    return this.#values[column];
  }
}
