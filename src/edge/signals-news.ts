/**
 * Which global signals a shard has not been told by this isolate: those that changed, or were last told SIGNALS_RETELL_MS
 * ago. Cloudflare's numbers are of the last hour and move slowly, while in a frame they are longer than three rows; a shard
 * keeps the newest for an hour, so one lost frame costs their freshness and no more.
 */
import { SIGNALS_RETELL_MS, SIGNALS_TOLD_MAX } from "../config.ts";

interface Told {
  readonly values: Float64Array;
  atMs: number;
}

export class SignalsNews {
  /** By site, then fingerprint. */
  readonly #told = new Map<string, Map<string, Told>>();
  /** The site that was asked for last: mostly there is no other. */
  #site = "";
  #ofSite = new Map<string, Told>();
  #size = 0;

  /** Whether the signals should travel; if so they count as told. */
  tell(site: string, ja4: string, values: Float64Array, nowMs: number): boolean {
    const ofSite = site === this.#site ? this.#ofSite : this.#turnTo(site);
    const told = ofSite.get(ja4);
    if (told === undefined) {
      // Clients make fingerprints up: past the bound all is told once more, instead of remembering who came last.
      if (this.#size >= SIGNALS_TOLD_MAX) return this.#startAnew(site, ja4, values, nowMs);
      ofSite.set(ja4, { values: values.slice(), atMs: nowMs });
      this.#size++;
      return true;
    }
    if (nowMs - told.atMs < SIGNALS_RETELL_MS && sameValues(told.values, values)) return false;
    told.values.set(values);
    told.atMs = nowMs;
    return true;
  }

  #turnTo(site: string): Map<string, Told> {
    let ofSite = this.#told.get(site);
    if (ofSite === undefined) {
      ofSite = new Map();
      this.#told.set(site, ofSite);
    }
    this.#site = site;
    this.#ofSite = ofSite;
    return ofSite;
  }

  #startAnew(site: string, ja4: string, values: Float64Array, nowMs: number): boolean {
    this.#told.clear();
    this.#site = "";
    this.#size = 0;
    return this.tell(site, ja4, values, nowMs);
  }
}

function sameValues(a: Float64Array, b: Float64Array): boolean {
  for (let i = 0; i < a.length; i++) {
    // NaN stands for absent, and is no change from itself.
    if (!Object.is(a[i], b[i])) return false;
  }
  return true;
}
