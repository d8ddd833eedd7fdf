/**
 * Which global signals a shard has not been told by this isolate: those that changed, or were last told SIGNALS_RETELL_MS
 * ago. Cloudflare's numbers are of the last hour and move slowly, while in a frame they are longer than three rows; a shard
 * keeps the newest for an hour, so one lost frame costs their freshness and no more.
 */
import { SIGNALS_RETELL_MS, SIGNALS_TOLD_MAX } from "../config.ts";
import { grown } from "../wire/grown.ts";
import { GLOBAL_SIGNALS } from "../wire/signal-names.ts";

const SIGNALS = GLOBAL_SIGNALS.length;
const FIRST_TOLD = 64;

export class SignalsNews {
  /** By site, then fingerprint: the place of what was told, in the columns. */
  readonly #told = new Map<string, Map<string, number>>();
  /** The site that was asked for last: mostly there is no other. */
  #site: string | undefined;
  #ofSite = new Map<string, number>();
  #size = 0;
  /** When it was told, ms, and the signals in the order of GLOBAL_SIGNALS. */
  #atMs = new Float64Array(FIRST_TOLD);
  #values = new Float64Array(FIRST_TOLD * SIGNALS);

  /** Whether the signals (dense, NaN = absent) should travel; if so they count as told. */
  tell(site: string, ja4: string, values: Float64Array, nowMs: number): boolean {
    const ofSite = site === this.#site ? this.#ofSite : this.#turnTo(site);
    const told = ofSite.get(ja4);
    if (told === undefined) {
      // Clients make fingerprints up: past the bound all is told once more, instead of remembering who came last.
      if (this.#size >= SIGNALS_TOLD_MAX) return this.#startAnew(site, ja4, values, nowMs);
      const place = this.#size++;
      ofSite.set(ja4, place);
      this.#atMs = grown(this.#atMs, place + 1);
      this.#values = grown(this.#values, (place + 1) * SIGNALS);
      this.#remember(place, values, nowMs);
      return true;
    }
    if (nowMs - this.#atMs[told]! < SIGNALS_RETELL_MS && this.#isSame(told, values)) return false;
    this.#remember(told, values, nowMs);
    return true;
  }

  #remember(place: number, values: Float64Array, nowMs: number): void {
    this.#atMs[place] = nowMs;
    this.#values.set(values, place * SIGNALS);
  }

  #isSame(place: number, values: Float64Array): boolean {
    const all = this.#values;
    const first = place * SIGNALS;
    for (let i = 0; i < SIGNALS; i++) {
      // NaN stands for absent, and is no change from itself.
      if (!Object.is(all[first + i], values[i])) return false;
    }
    return true;
  }

  #turnTo(site: string): Map<string, number> {
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
    this.#site = undefined;
    this.#size = 0;
    return this.tell(site, ja4, values, nowMs);
  }
}
