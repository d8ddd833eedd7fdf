/** Ways of counting distinct identities in windows, behind one face, for the benchmark: ours and two peers. */
import { HOUR_MS, MINUTE_MS, STAMP_MS } from "../../src/config.ts";
import { Distincts } from "../../src/sketch/distincts.ts";

export const COUNTERS = ["hellotide", "map", "panes"] as const;
export type CounterName = (typeof COUNTERS)[number];

/** One object holds many sets; a set is a number that the object gives. */
export interface Counter {
  add(set: number, hash: number, slot: number): number;
  count(set: number, sinceSlot: number, nowSlot: number): number;
}

/** No set yet, for `add`. */
export const NO_SET = 0;

export function counterOf(name: CounterName): Counter {
  if (name === "hellotide") return new Distincts();
  return name === "map" ? new Maps() : new Panes();
}

/** What one writes first: exact, hash → slot of the last sight in a Map. */
class Maps implements Counter {
  readonly #sets: Map<number, number>[] = [new Map()];

  add(set: number, hash: number, slot: number): number {
    const index = set === NO_SET ? this.#sets.push(new Map()) - 1 : set;
    this.#sets[index]!.set(hash, slot);
    return index;
  }

  count(set: number, sinceSlot: number, nowSlot: number): number {
    let count = 0;
    for (const slot of this.#sets[set]!.values()) if (slot >= sinceSlot && slot <= nowSlot) count++;
    return count;
  }
}

const LOG_REGISTERS = 10;
const REGISTERS = 1 << LOG_REGISTERS;
const PANES = HOUR_MS / MINUTE_MS;
const PANE_SLOTS = MINUTE_MS / STAMP_MS;
/** Flajolet, Fusy, Gandouet and Meunier, "HyperLogLog", 2007, figure 3. */
const ALPHA = 0.7213 / (1 + 1.079 / REGISTERS);

/** A HyperLogLog of 1,024 registers a minute (of the same memory a large set of ours fits in fifteen); a window is their union. */
class Panes implements Counter {
  readonly #sets: { registers: Uint8Array; minutes: Float64Array }[] = [];
  readonly #union = new Uint8Array(REGISTERS);

  add(set: number, hash: number, slot: number): number {
    let index = set;
    if (set === NO_SET) {
      index = this.#sets.push({
        registers: new Uint8Array(PANES * REGISTERS),
        minutes: new Float64Array(PANES).fill(-1),
      });
    }
    const { registers, minutes } = this.#sets[index - 1]!;
    const minute = Math.floor(slot / PANE_SLOTS);
    const pane = minute % PANES;
    const from = pane * REGISTERS;
    if (minutes[pane] !== minute) {
      minutes[pane] = minute;
      registers.fill(0, from, from + REGISTERS);
    }
    const at = from + (hash >>> (32 - LOG_REGISTERS));
    const rank = Math.clz32((hash << LOG_REGISTERS) | (REGISTERS >>> 1)) + 1;
    if (registers[at]! < rank) registers[at] = rank;
    return index;
  }

  count(set: number, sinceSlot: number, nowSlot: number): number {
    const { registers, minutes } = this.#sets[set - 1]!;
    const union = this.#union.fill(0);
    for (let minute = Math.floor(sinceSlot / PANE_SLOTS); minute * PANE_SLOTS <= nowSlot; minute++) {
      const pane = minute % PANES;
      if (minutes[pane] !== minute) continue;
      const from = pane * REGISTERS;
      for (let i = 0; i < REGISTERS; i++) {
        const rank = registers[from + i]!;
        if (rank > union[i]!) union[i] = rank;
      }
    }
    let sum = 0;
    let empty = 0;
    for (const rank of union) {
      sum += 2 ** -rank;
      if (rank === 0) empty++;
    }
    const raw = (ALPHA * REGISTERS * REGISTERS) / sum;
    return Math.round(raw <= 2.5 * REGISTERS && empty > 0 ? REGISTERS * Math.log(REGISTERS / empty) : raw);
  }
}
