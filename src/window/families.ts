/**
 * Families: fingerprints that share a part of their JA4 (a: protocol, version, counts, ALPN; b: ciphers; c: extensions).
 * A family is a number: 36 bits of part a, 48 of b or c. A swarm of newborns in one family is what a randomised
 * ClientHello looks like. Pseudo fingerprints have no parts, so no families.
 */
import { KEY_WORDS, unpackKey } from "../wire/key.ts";
import type { Overflow } from "./overflow.ts";
import type { Store } from "./store.ts";
import { firstSlot } from "./time.ts";

export const PARTS = ["a", "b", "c"] as const;
export type Part = (typeof PARTS)[number];

const PSEUDO = 3;

/** One family's share of the site. */
export interface FamilyRow {
  family: number;
  /** Requests, and fingerprints, of the 1h window. */
  reqs: number;
  fingerprints: number;
  /** Fingerprints that came in the 1m window and were not there in the hour before. */
  newborn: number;
}

/** The family of the key at `keys[at …]`; −1 of pseudo fingerprints and of no fingerprint. */
export function familyOf(part: Part, keys: Uint32Array, at: number): number {
  const last = keys[at + 4]!;
  if (last === 0 || keys[at]! >>> 30 === PSEUDO) return -1;
  if (part === "a") return keys[at]! * 16 + (last >>> 1);
  if (part === "b") return keys[at + 1]! * 0x10000 + (keys[at + 2]! >>> 16);
  return (keys[at + 2]! & 0xffff) * 0x100000000 + keys[at + 3]!;
}

/** The part's text: `t13d1516h2`, `8daaf6152771`. */
export function familyName(part: Part, family: number): string {
  if (part !== "a") return family.toString(16).padStart(12, "0");
  const key = new Uint32Array(KEY_WORDS);
  key[0] = Math.floor(family / 16);
  key[4] = 1 | ((family % 16) << 1);
  return unpackKey(key, 0).slice(0, 10);
}

/** Adds up fingerprints by family. */
export class FamilySums {
  readonly #rows = new Map<number, FamilyRow>();

  add(family: number, reqs: number, fingerprints: number, newborn: number): void {
    const row = this.#rows.get(family);
    if (row === undefined) {
      this.#rows.set(family, { family, reqs, fingerprints, newborn });
      return;
    }
    row.reqs += reqs;
    row.fingerprints += fingerprints;
    row.newborn += newborn;
  }

  /** Most requests first; equal ones by family, so that pages neither repeat nor skip. */
  rows(): FamilyRow[] {
    return [...this.#rows.values()].sort((a, b) => b.reqs - a.reqs || a.family - b.family);
  }
}

/** All families of one part; newborn are those that came after `newFromMs`. */
export function familiesOf(part: Part, store: Store, overflow: Overflow, newFromMs: number): FamilyRow[] {
  const { fingerprints } = store;
  const sums = new FamilySums();
  const key = new Uint32Array(KEY_WORDS);
  for (const id of fingerprints.ids()) {
    fingerprints.copyKey(id, key);
    const family = familyOf(part, key, 0);
    if (family >= 0)
      sums.add(family, store.hourReqs(id), 1, fingerprints.firstSeenMs(id) > newFromMs ? 1 : 0);
  }
  overflow.addFamilies(part, sums, firstSlot(newFromMs));
  return sums.rows();
}
