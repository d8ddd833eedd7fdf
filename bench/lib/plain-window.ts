/**
 * The peer of the window: the same information as one writes it first, in plain Maps and objects. A fingerprint has its
 * counters minute by minute and, for each identity, a Map of hash → minute of its last sight. It has no slots of 5 s, so
 * its 1m and 5m windows are coarser than ours.
 */
import { MINUTE_MS, PAST_MAX_MS } from "../../src/config.ts";
import { RATIOS } from "../../src/wire/flags.ts";
import { IDENTITIES } from "../../src/wire/frame.ts";
import { flatJa4, type Observer } from "./made-traffic.ts";

export interface PlainMinute {
  minute: number;
  reqs: number;
  known: number[];
  yes: number[];
  /** Identities that were new, in the order of IDENTITIES. */
  fresh: number[];
}

export interface PlainFingerprint {
  firstMs: number;
  lastMs: number;
  minutes: PlainMinute[];
  identities: Map<number, number>[];
}

export class PlainWindow implements Observer {
  readonly fingerprints = new Map<string, PlainFingerprint>();
  /** Fingerprints by number: a sender's text would do the same. */
  readonly #names: string[] = [];

  observe(fp: number, ms: number, flags: number, values: Uint32Array): void {
    this.#names[fp] ??= flatJa4(fp);
    const one = this.#of(this.#names[fp]!, ms);
    one.lastMs = ms;
    const minute = Math.floor(ms / MINUTE_MS);
    let row = one.minutes.at(-1);
    if (row?.minute !== minute) {
      row = { minute, reqs: 0, known: RATIOS.map(() => 0), yes: RATIOS.map(() => 0), fresh: [0, 0, 0, 0, 0] };
      one.minutes.push(row);
    }
    row.reqs++;
    for (let ratio = 0; ratio < RATIOS.length; ratio++) {
      const fact = (flags >>> (ratio * 2)) & 3;
      if (fact !== 0) row.known[ratio]!++;
      if (fact === 3) row.yes[ratio]!++;
    }
    for (let i = 0; i < IDENTITIES.length; i++) {
      const held = one.identities[i]!;
      if (!held.has(values[i]!)) row.fresh[i]!++;
      held.set(values[i]!, minute);
    }
  }

  /** Forgets what left the hour. */
  expire(nowMs: number): void {
    const first = Math.floor((nowMs - PAST_MAX_MS) / MINUTE_MS);
    for (const [ja4, one] of this.fingerprints) {
      if (one.minutes[0]!.minute < first) one.minutes = one.minutes.filter(({ minute }) => minute >= first);
      if (one.minutes.length === 0) {
        this.fingerprints.delete(ja4);
        continue;
      }
      for (const held of one.identities)
        for (const [hash, minute] of held) if (minute < first) held.delete(hash);
    }
  }

  #of(ja4: string, ms: number): PlainFingerprint {
    let one = this.fingerprints.get(ja4);
    if (one === undefined) {
      one = { firstMs: ms, lastMs: ms, minutes: [], identities: IDENTITIES.map(() => new Map()) };
      this.fingerprints.set(ja4, one);
    }
    return one;
  }
}

/** Requests of the hour. */
export function plainReqs({ minutes }: PlainFingerprint): number {
  return minutes.reduce((sum, { reqs }) => sum + reqs, 0);
}
