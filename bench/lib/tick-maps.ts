/** The peer of the tick: the same answers from plain Maps, as one writes them first. */
import { MINUTE_MS } from "../../src/config.ts";
import type { TickedShard } from "../processes/tick.ts";
import { elapsed } from "./elapsed.ts";
import { type PlainFingerprint, PlainWindow, plainReqs } from "./plain-window.ts";

const [IPS, UAS, PATHS] = [0, 1, 2];
const PAGE = 50;

export class PlainShard extends PlainWindow implements TickedShard {
  /** Nothing waits. */
  flush(): void {}

  turn(nowMs: number): Record<string, number> {
    return { turn_ms: elapsed(() => this.expire(nowMs)).ms };
  }

  /** How many fingerprints have each value, as JSON. */
  tick(): Record<string, number> {
    const { ms } = elapsed(() => {
      const all = [...this.fingerprints.values()];
      const columns = [plainReqs, distinct(IPS), distinct(UAS), distinct(PATHS)];
      return JSON.stringify(columns.map((of) => counts(all.map(of))));
    });
    return { tick_ms: ms };
  }

  reads(nowMs: number): Record<string, number> {
    const page = (of: (one: PlainFingerprint) => number) =>
      elapsed(() =>
        [...this.fingerprints]
          .map(([ja4, one]) => ({ ja4, value: of(one) }))
          .sort((a, b) => b.value - a.value || (a.ja4 < b.ja4 ? -1 : 1))
          .slice(0, PAGE),
      ).ms;
    return {
      families_ms: elapsed(() => this.#families(nowMs)).ms,
      list_reqs_ms: page(plainReqs),
      list_ips_ms: page(distinct(IPS)),
    };
  }

  sums(): Record<string, number> {
    const sum = (of: (one: PlainFingerprint) => number) =>
      [...this.fingerprints.values()].reduce((total, one) => total + of(one), 0);
    return { reqs_sum: sum(plainReqs), uas_sum: sum(distinct(UAS)), live: this.fingerprints.size };
  }

  #families(nowMs: number): unknown[] {
    const families = new Map<string, { part: string; reqs: number; fingerprints: number; newborn: number }>();
    for (const [ja4, one] of this.fingerprints) {
      const part = ja4.slice(0, 10);
      const family = families.get(part) ?? { part, reqs: 0, fingerprints: 0, newborn: 0 };
      families.set(part, family);
      family.reqs += plainReqs(one);
      family.fingerprints++;
      if (one.firstMs > nowMs - MINUTE_MS) family.newborn++;
    }
    return [...families.values()].sort((a, b) => b.reqs - a.reqs);
  }
}

function distinct(identity: number): (one: PlainFingerprint) => number {
  return ({ identities }) => identities[identity]!.size;
}

/** Value → fingerprints that have it, ascending. */
function counts(values: readonly number[]): [number, number][] {
  const held = new Map<number, number>();
  for (const value of values) held.set(value, (held.get(value) ?? 0) + 1);
  return [...held].sort(([a], [b]) => a - b);
}
