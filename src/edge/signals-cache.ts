/** Feature rows that an isolate has seen lately, by site and fingerprint: bounded, oldest out first. */
import { SIGNALS_CACHE_MAX } from "../config.ts";
import type { FeatureRow } from "../signals/features.ts";

interface Entry {
  /** Absent = the fingerprint was not seen on the site. */
  row: FeatureRow | undefined;
  atMs: number;
  /** Until when somebody is fetching it, ms. */
  fetchingUntilMs: number;
}

const FETCH_LEASE_MS = 5_000;

export class SignalsCache {
  readonly #entries = new Map<string, Entry>();

  /** The row and its age, if there is one that is at most `maxAgeMs` old. */
  get(
    site: string,
    ja4: string,
    nowMs: number,
    maxAgeMs: number,
  ): { row: FeatureRow | undefined; ageMs: number } | undefined {
    const entry = this.#entries.get(keyOf(site, ja4));
    if (entry === undefined || entry.atMs === 0 || nowMs - entry.atMs > maxAgeMs) return undefined;
    return { row: entry.row, ageMs: nowMs - entry.atMs };
  }

  set(site: string, ja4: string, row: FeatureRow | undefined, nowMs: number): void {
    this.#put(keyOf(site, ja4), { row, atMs: nowMs, fetchingUntilMs: 0 });
  }

  /** Whether the caller should fetch: the row is older than `maxAgeMs` and nobody else is at it. */
  claim(site: string, ja4: string, nowMs: number, maxAgeMs: number): boolean {
    const key = keyOf(site, ja4);
    const entry = this.#entries.get(key) ?? { row: undefined, atMs: 0, fetchingUntilMs: 0 };
    const fresh = entry.atMs !== 0 && nowMs - entry.atMs <= maxAgeMs;
    if (fresh || entry.fetchingUntilMs > nowMs) return false;
    this.#put(key, { ...entry, fetchingUntilMs: nowMs + FETCH_LEASE_MS });
    return true;
  }

  #put(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (this.#entries.size > SIGNALS_CACHE_MAX) this.#entries.delete(this.#entries.keys().next().value!);
  }
}

/** Site names hold no spaces. */
function keyOf(site: string, ja4: string): string {
  return `${site} ${ja4}`;
}
