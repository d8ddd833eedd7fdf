/**
 * What a shard keeps of each fingerprint besides its panes, under a small integer id. Ids are reused: an id is freed
 * when the fingerprint had no request in the last hour, and no pane holds it any more by then.
 */
import { FINGERPRINTS_MAX } from "../config.ts";
import { Distinct } from "../sketch/distinct.ts";
import { IDENTITIES } from "../wire/frame.ts";
import { TALLY_WIDTH, type Tally } from "./tally.ts";

/** Requests without a JA4 are tallied under this id. */
export const WITHOUT_JA4 = 0;
/** Requests of fingerprints beyond FINGERPRINTS_MAX are tallied under this one: counted, not told apart. */
export const OVERFLOW = 1;
/** The first id of a real fingerprint. */
export const FIRST_ID = 2;

export interface SeenSignals {
  seenAtMs: number;
  /** Dense, in the order of GLOBAL_SIGNALS; NaN = absent. */
  values: Float64Array;
}

export class Fingerprints {
  readonly #ids = new Map<string, number>();
  readonly #ja4: (string | undefined)[] = ["", ""];
  readonly #free: number[] = [];
  readonly #firstSeenMs: number[] = [0, 0];
  readonly #lastSeenMs: number[] = [0, 0];
  readonly #signals: (SeenSignals | undefined)[] = [undefined, undefined];
  readonly #distinct: (Distinct | undefined)[] = [];
  #hour = new Uint32Array(16 * TALLY_WIDTH);
  #tags = new Uint32Array(16);

  /** Live fingerprints. */
  get size(): number {
    return this.#ids.size;
  }

  /** One more than the highest id in use. */
  get idEnd(): number {
    return this.#ja4.length;
  }

  id(ja4: string): number | undefined {
    return this.#ids.get(ja4);
  }

  /** A hash of the fingerprint that has the id. An id is used again: by the tag one knows whether it still means the same. */
  tag(id: number): number {
    return this.#tags[id]!;
  }

  /** The tags by id. A view; valid until the next `intern`. */
  get tags(): Uint32Array {
    return this.#tags;
  }

  /** Live fingerprints in the order of their arrival. */
  entries(): IterableIterator<[string, number]> {
    return this.#ids.entries();
  }

  ja4(id: number): string {
    return this.#ja4[id] ?? "";
  }

  /** The fingerprint's id, made when it is new; OVERFLOW when there is no room for another. */
  intern(ja4: string, seenMs: number): number {
    if (ja4 === "") return WITHOUT_JA4;
    const known = this.#ids.get(ja4);
    if (known !== undefined) return known;
    if (this.#ids.size >= FINGERPRINTS_MAX) return OVERFLOW;
    const id = this.#free.pop() ?? this.#ja4.length;
    this.#ids.set(ja4, id);
    this.#ja4[id] = ja4;
    this.#firstSeenMs[id] = seenMs;
    this.#lastSeenMs[id] = seenMs;
    this.#signals[id] = undefined;
    if ((id + 1) * TALLY_WIDTH > this.#hour.length) {
      const grown = new Uint32Array(this.#hour.length * 2);
      grown.set(this.#hour);
      this.#hour = grown;
      const tags = new Uint32Array(this.#tags.length * 2);
      tags.set(this.#tags);
      this.#tags = tags;
    }
    this.#tags[id] = tagOf(ja4);
    return id;
  }

  remove(id: number): void {
    this.#ids.delete(this.ja4(id));
    this.#ja4[id] = undefined;
    this.#signals[id] = undefined;
    for (let kind = 0; kind < IDENTITIES.length; kind++)
      this.#distinct[id * IDENTITIES.length + kind] = undefined;
    this.#free.push(id);
  }

  seen(id: number, ms: number): void {
    if (ms < this.#firstSeenMs[id]!) this.#firstSeenMs[id] = ms;
    if (ms > this.#lastSeenMs[id]!) this.#lastSeenMs[id] = ms;
  }

  firstSeenMs(id: number): number {
    return this.#firstSeenMs[id]!;
  }

  lastSeenMs(id: number): number {
    return this.#lastSeenMs[id]!;
  }

  /** Keeps the newest signals by event time. */
  setSignals(id: number, signals: SeenSignals): void {
    const held = this.#signals[id];
    if (held === undefined || signals.seenAtMs >= held.seenAtMs) this.#signals[id] = signals;
  }

  signals(id: number): SeenSignals | undefined {
    return this.#signals[id];
  }

  /** The table of one identity (index into IDENTITIES), made at its first use. */
  distinct(id: number, identity: number): Distinct {
    const at = id * IDENTITIES.length + identity;
    let table = this.#distinct[at];
    if (table === undefined) {
      table = new Distinct();
      this.#distinct[at] = table;
    }
    return table;
  }

  distinctIfAny(id: number, identity: number): Distinct | undefined {
    return this.#distinct[id * IDENTITIES.length + identity];
  }

  /** Sums of the 1h window: row `id` of a dense table. A view; valid until the next `intern`. */
  hour(id: number): Tally {
    return this.#hour.subarray(id * TALLY_WIDTH, (id + 1) * TALLY_WIDTH);
  }

  /** The dense table itself. */
  get hourTable(): Uint32Array {
    return this.#hour;
  }

  /** Bytes held, the JavaScript objects estimated. */
  get bytes(): number {
    let bytes = this.#hour.byteLength + this.#ja4.length * 200;
    for (const table of this.#distinct) bytes += table === undefined ? 8 : table.bytes + 100;
    return bytes;
  }
}

/** FNV-1a over UTF-16 code units. */
function tagOf(ja4: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < ja4.length; i++) hash = Math.imul(hash ^ ja4.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
