/**
 * The seam: what the engine reads of a shard's window, kept without one. Tallies of the last minutes of each fingerprint, put
 * in minute by minute, seen through the same `Site` and `Subject` that `siteOf` makes of a window. A test holds the two
 * together: the same traffic gives the same readings.
 */
import { MINUTE_MS } from "../../../src/config.ts";
import type { Site, Subject } from "../../../src/detect/types.ts";
import type { GlobalSignals } from "../../../src/signals/global.ts";
import { addTally, REQS, subtractTally, TALLY_WIDTH, type Tally } from "../../../src/window/tally.ts";

/** Minutes kept of each: the hour and the one that fills, as a power of two. */
const RING = 64;
const HOUR_MINUTES = 60;

export interface Reader {
  ja4: string;
  global: GlobalSignals | undefined;
}

export class Readings {
  readonly #tallies: Uint32Array;
  readonly #reqs: Uint32Array;
  readonly #hours: Uint32Array;
  readonly #totals = new Uint32Array(RING * TALLY_WIDTH);
  readonly #lastMinute: Float64Array;
  readonly #firstSeenMs: Float64Array;
  readonly #subjects: Subject[];
  readonly #scratch: Tally = new Uint32Array(TALLY_WIDTH);
  #minute = 0;
  #firstDataMs = 0;

  /** `readers`: name and worldwide signals of each fingerprint, asked anew whenever they are needed. */
  constructor(readers: readonly Reader[]) {
    const count = readers.length;
    this.#tallies = new Uint32Array(count * RING * TALLY_WIDTH);
    this.#reqs = new Uint32Array(count * RING);
    this.#hours = new Uint32Array(count * TALLY_WIDTH);
    this.#lastMinute = new Float64Array(count).fill(Number.NEGATIVE_INFINITY);
    this.#firstSeenMs = new Float64Array(count);
    this.#subjects = readers.map((reader, fp) => this.#subject(reader, fp));
  }

  /** Bytes held for each fingerprint. */
  static readonly BYTES_EACH = (RING * (TALLY_WIDTH + 1) + TALLY_WIDTH) * 4 + 16;

  /** Begins a minute; minutes come without a gap. */
  begin(minute: number): void {
    this.#minute = minute;
    const at = minute & (RING - 1);
    this.#totals.fill(0, at * TALLY_WIDTH, (at + 1) * TALLY_WIDTH);
    for (let fp = 0; fp < this.#subjects.length; fp++) {
      const leaves = fp * RING + ((minute - HOUR_MINUTES) & (RING - 1));
      if (this.#reqs[leaves] !== 0)
        subtractTally(this.#hours, fp * TALLY_WIDTH, this.#tallies, leaves * TALLY_WIDTH);
      const filling = fp * RING + at;
      if (this.#reqs[filling] === 0) continue;
      this.#reqs[filling] = 0;
      this.#tallies.fill(0, filling * TALLY_WIDTH, (filling + 1) * TALLY_WIDTH);
    }
  }

  /** Whether the hour (with the minute that just left it) has nothing of this fingerprint. */
  isNew(fp: number): boolean {
    return this.#minute - this.#lastMinute[fp]! > HOUR_MINUTES;
  }

  /** Requests of the hour so far. */
  hourReqs(fp: number): number {
    return this.#hours[fp * TALLY_WIDTH + REQS]!;
  }

  /** Counts what a fingerprint did in the minute, once a minute at most; `firstMs` = time of its first request. */
  add(fp: number, tally: Tally, firstMs: number): void {
    const place = fp * RING + (this.#minute & (RING - 1));
    if (this.isNew(fp)) this.#firstSeenMs[fp] = firstMs;
    if (this.#firstDataMs === 0) this.#firstDataMs = firstMs;
    this.#lastMinute[fp] = this.#minute;
    this.#reqs[place] = tally[REQS]!;
    this.#tallies.set(tally, place * TALLY_WIDTH);
    addTally(this.#hours, fp * TALLY_WIDTH, tally, 0);
    addTally(this.#totals, (this.#minute & (RING - 1)) * TALLY_WIDTH, tally, 0);
  }

  /** What the engine reads at the end of the minute. */
  site(): Site {
    const totals = new Map<number, Tally | undefined>();
    const minuteNow = this.#minute;
    const reqs = (minute: number) =>
      this.#kept(minute) ? this.#totals[(minute & (RING - 1)) * TALLY_WIDTH + REQS]! : 0;
    return {
      firstDataMs: this.#firstDataMs,
      asOfMs: (minuteNow + 1) * MINUTE_MS,
      minuteNow,
      reqs,
      minute: (minute) => {
        const at = (minute & (RING - 1)) * TALLY_WIDTH;
        if (!totals.has(minute))
          totals.set(minute, reqs(minute) === 0 ? undefined : this.#totals.slice(at, at + TALLY_WIDTH));
        return totals.get(minute);
      },
      subjects: () => this.#live(),
    };
  }

  *#live(): Generator<Subject> {
    for (let fp = 0; fp < this.#subjects.length; fp++)
      if (this.#hours[fp * TALLY_WIDTH + REQS] !== 0) yield this.#subjects[fp]!;
  }

  #kept(minute: number): boolean {
    return minute <= this.#minute && minute > this.#minute - HOUR_MINUTES;
  }

  #subject(reader: Reader, fp: number): Subject {
    const readings = this;
    // A view: made anew for each reading it would be most of what an evaluated day costs.
    const hour = this.#hours.subarray(fp * TALLY_WIDTH, (fp + 1) * TALLY_WIDTH);
    return {
      hour,
      get ja4() {
        return reader.ja4;
      },
      get firstSeenMs() {
        return readings.#firstSeenMs[fp]!;
      },
      get global() {
        return reader.global;
      },
      minute(minute) {
        const place = fp * RING + (minute & (RING - 1));
        if (!readings.#kept(minute) || readings.#reqs[place] === 0) return undefined;
        const at = place * TALLY_WIDTH;
        for (let column = 0; column < TALLY_WIDTH; column++)
          readings.#scratch[column] = readings.#tallies[at + column]!;
        return readings.#scratch;
      },
      reqs(minute) {
        return readings.#kept(minute) ? readings.#reqs[fp * RING + (minute & (RING - 1))]! : 0;
      },
    };
  }
}
