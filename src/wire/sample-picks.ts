/**
 * Which rows of a frame become samples. Of every fingerprint those rows whose priority is lowest, a hash of the row's place
 * among the fingerprint's rows, its time and its identities: a uniform sample without replacement, as with random priorities
 * (bottom-k; Cohen and Kaplan 2007), yet the same rows always give the same samples. Every n-th row would keep step with
 * traffic that repeats itself, and priorities by place alone would favour the same places in every frame.
 */
import { mix32 } from "../base/hash.ts";
import {
  FRAME_FEW_FINGERPRINTS,
  FRAME_SAMPLE_ROWS,
  FRAME_SAMPLES_MAX,
  FRAME_SAMPLES_MIN,
  RAY_ID_MAX_CHARS,
  SAMPLE_TEXT_MAX_CHARS,
} from "../config.ts";
import type { Row } from "./frame-builder.ts";
import { grown } from "./grown.ts";
import { type FrameSample, SampleWriter } from "./samples.ts";

/** What a sample takes besides its texts, in the longer of the two forms. */
const SAMPLE_BYTES = 40;
/** UTF-8 takes up to 3 bytes a UTF-16 unit. */
const UNIT_BYTES = 3;
const FIRST_FINGERPRINTS = 16;
const FIRST_SAMPLES = 32;

/**
 * The lowest priority of a fingerprint with so many rows lies below this with a probability of one row in FRAME_SAMPLE_ROWS:
 * the lowest of n uniform numbers is below x with 1 − (1 − x)ⁿ.
 */
const DRAWN_BELOW = Float64Array.from(
  { length: FRAME_SAMPLE_ROWS },
  (_, rows) => (1 - (1 - rows / FRAME_SAMPLE_ROWS) ** (1 / Math.max(1, rows))) * 2 ** 32,
);

/** How many of its rows stand for a fingerprint. */
function samplesFor(rows: number): number {
  const wanted = Math.max(FRAME_SAMPLES_MIN, Math.floor(rows / FRAME_SAMPLE_ROWS));
  return Math.min(rows, wanted, FRAME_SAMPLES_MAX);
}

export class SamplePicks {
  /** Rows of each fingerprint; of them FRAME_SAMPLES_MAX at most are held, in as many places. */
  #rows = new Uint32Array(FIRST_FINGERPRINTS);
  #places = new Uint16Array(FIRST_FINGERPRINTS * FRAME_SAMPLES_MAX);
  /** The lowest priority of each. */
  #lowest = new Uint32Array(FIRST_FINGERPRINTS);
  /** Once all of its places are taken: the highest priority that is held, and which of them has it. */
  #highest = new Uint32Array(FIRST_FINGERPRINTS);
  #leaving = new Uint8Array(FIRST_FINGERPRINTS);
  #fps = 0;
  /** One entry a held row. */
  #priority = new Uint32Array(FIRST_SAMPLES);
  #ms = new Float64Array(FIRST_SAMPLES);
  #status = new Uint16Array(FIRST_SAMPLES);
  #asn = new Float64Array(FIRST_SAMPLES);
  #length = new Uint16Array(FIRST_SAMPLES);
  readonly #paths: string[] = [];
  readonly #hosts: string[] = [];
  readonly #methods: string[] = [];
  readonly #rays: string[] = [];
  #count = 0;
  #bytes = 0;

  /** The held samples' length on the wire, at most. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Looks at the next row of fingerprint `fp` (index into the frame's table). */
  offer(fp: number, row: Row): void {
    if (fp >= this.#fps) this.#makeRoomForFingerprint(fp);
    const rows = this.#rows[fp]!;
    this.#rows[fp] = rows + 1;
    // The identities are keyed hashes: nobody outside can aim at being a sample, or at not being one.
    const priority = mix32(Math.imul(rows, 0x9e3779b1) ^ row.timestampMs ^ row.ipHash ^ row.pathHash);
    if (rows === 0 || priority < this.#lowest[fp]!) this.#lowest[fp] = priority;
    const first = fp * FRAME_SAMPLES_MAX;
    if (rows < FRAME_SAMPLES_MAX) {
      const place = this.#count++;
      if (place === this.#priority.length) this.#makeRoomForSamples(place + 1);
      this.#places[first + rows] = place;
      this.#put(place, priority, row);
      if (rows === FRAME_SAMPLES_MAX - 1) this.#findHighest(fp);
    } else if (priority < this.#highest[fp]!) {
      const place = this.#places[first + this.#leaving[fp]!]!;
      this.#bytes -= this.#length[place]!;
      this.#put(place, priority, row);
      this.#findHighest(fp);
    }
  }

  /** The packed samples of a frame that begins at `baseMs`. */
  pack(baseMs: number): Uint8Array {
    let count = 0;
    for (let fp = 0; fp < this.#fps; fp++) count += this.#samplesOf(fp);
    const writer = new SampleWriter(count);
    const sample: FrameSample = {
      ...{ fp: 0, at: 0, weight: 0, status: 0, asn: -1 },
      ...{ path: "", host: "", method: "", ray: "" },
    };
    for (let fp = 0; fp < this.#fps; fp++) {
      const mine = this.#samplesOf(fp);
      if (mine === 0) continue;
      this.#order(fp, mine);
      // One that is drawn for several fingerprints stands for the rows of them all.
      const weight = this.#isDrawn(fp) ? FRAME_SAMPLE_ROWS : this.#rows[fp]!;
      sample.fp = fp;
      for (let i = 0; i < mine; i++) {
        const place = this.#places[fp * FRAME_SAMPLES_MAX + i]!;
        sample.at = this.#ms[place]! - baseMs;
        // The remainder goes to the first ones, so that the weights add up to the rows.
        sample.weight = Math.floor(weight / mine) + (i < weight % mine ? 1 : 0);
        sample.status = this.#status[place]!;
        sample.asn = this.#asn[place]!;
        sample.path = clip(this.#paths[place]!, SAMPLE_TEXT_MAX_CHARS);
        sample.host = clip(this.#hosts[place]!, SAMPLE_TEXT_MAX_CHARS);
        sample.method = clip(this.#methods[place]!, SAMPLE_TEXT_MAX_CHARS);
        sample.ray = clip(this.#rays[place]!, RAY_ID_MAX_CHARS);
        writer.add(sample);
      }
    }
    return writer.bytes();
  }

  /** Whether the fingerprint sends a sample by the draw only. */
  #isDrawn(fp: number): boolean {
    return this.#fps > FRAME_FEW_FINGERPRINTS && this.#rows[fp]! < FRAME_SAMPLE_ROWS;
  }

  /** How many samples the fingerprint sends. */
  #samplesOf(fp: number): number {
    const rows = this.#rows[fp]!;
    if (!this.#isDrawn(fp)) return samplesFor(rows);
    return rows > 0 && this.#lowest[fp]! < DRAWN_BELOW[rows]! ? 1 : 0;
  }

  /**
   * Gives the samples of a fingerprint to `into`. Where that has samples of its fingerprint `intoFp` already, the lowest
   * priorities of both stay: those of all rows together.
   */
  copyTo(fp: number, into: SamplePicks, intoFp: number): void {
    const rows = fp < this.#fps ? this.#rows[fp]! : 0;
    if (rows === 0) return;
    const held = Math.min(rows, FRAME_SAMPLES_MAX);
    if (intoFp >= into.#fps) into.#makeRoomForFingerprint(intoFp);
    into.#makeRoomForSamples(into.#count + held);
    const before = into.#rows[intoFp]!;
    const first = intoFp * FRAME_SAMPLES_MAX;
    let taken = Math.min(before, FRAME_SAMPLES_MAX);
    for (let i = 0; i < held; i++) {
      const from = this.#places[fp * FRAME_SAMPLES_MAX + i]!;
      if (taken < FRAME_SAMPLES_MAX) {
        into.#places[first + taken++] = into.#count;
        this.#copyOne(from, into, into.#count++);
        if (taken === FRAME_SAMPLES_MAX) into.#findHighest(intoFp);
      } else if (this.#priority[from]! < into.#highest[intoFp]!) {
        const to = into.#places[first + into.#leaving[intoFp]!]!;
        into.#bytes -= into.#length[to]!;
        this.#copyOne(from, into, to);
        into.#findHighest(intoFp);
      }
    }
    into.#rows[intoFp] = before + rows;
    const lowest = this.#lowest[fp]!;
    if (before === 0 || lowest < into.#lowest[intoFp]!) into.#lowest[intoFp] = lowest;
  }

  reset(): void {
    this.#rows.fill(0, 0, this.#fps);
    // Or the texts of the last frame live as long as the builder. The lists keep their room.
    for (const texts of [this.#paths, this.#hosts, this.#methods, this.#rays]) texts.fill("", 0, this.#count);
    this.#fps = 0;
    this.#count = 0;
    this.#bytes = 0;
  }

  #copyOne(from: number, into: SamplePicks, to: number): void {
    into.#priority[to] = this.#priority[from]!;
    into.#ms[to] = this.#ms[from]!;
    into.#status[to] = this.#status[from]!;
    into.#asn[to] = this.#asn[from]!;
    into.#length[to] = this.#length[from]!;
    into.#paths[to] = this.#paths[from]!;
    into.#hosts[to] = this.#hosts[from]!;
    into.#methods[to] = this.#methods[from]!;
    into.#rays[to] = this.#rays[from]!;
    into.#bytes += this.#length[from]!;
  }

  #put(place: number, priority: number, row: Row): void {
    const { path = "", host = "", method = "", rayId = "" } = row;
    this.#priority[place] = priority;
    this.#ms[place] = row.timestampMs;
    this.#status[place] = row.status ?? 0;
    this.#asn[place] = row.asn ?? -1;
    // Cut to their limits only when they are sent: most of these are replaced, or one too many.
    this.#paths[place] = path;
    this.#hosts[place] = host;
    this.#methods[place] = method;
    this.#rays[place] = rayId;
    const chars =
      Math.min(path.length, SAMPLE_TEXT_MAX_CHARS) +
      Math.min(host.length, SAMPLE_TEXT_MAX_CHARS) +
      Math.min(method.length, SAMPLE_TEXT_MAX_CHARS) +
      Math.min(rayId.length, RAY_ID_MAX_CHARS);
    const length = SAMPLE_BYTES + UNIT_BYTES * chars;
    this.#length[place] = length;
    this.#bytes += length;
  }

  /** Which of the held rows goes for one with a lower priority; all places are taken. */
  #findHighest(fp: number): void {
    const first = fp * FRAME_SAMPLES_MAX;
    let highest = -1;
    let leaving = 0;
    for (let i = 0; i < FRAME_SAMPLES_MAX; i++) {
      const priority = this.#priority[this.#places[first + i]!]!;
      if (priority <= highest) continue;
      highest = priority;
      leaving = i;
    }
    this.#highest[fp] = highest;
    this.#leaving[fp] = leaving;
  }

  /** Puts the `count` lowest priorities of a fingerprint first, in order. Rows may still follow. */
  #order(fp: number, count: number): void {
    const places = this.#places;
    const first = fp * FRAME_SAMPLES_MAX;
    const end = first + Math.min(this.#rows[fp]!, FRAME_SAMPLES_MAX);
    for (let to = first; to < first + count; to++) {
      let lowest = to;
      for (let i = to + 1; i < end; i++) {
        if (this.#priority[places[i]!]! < this.#priority[places[lowest]!]!) lowest = i;
      }
      const place = places[to]!;
      places[to] = places[lowest]!;
      places[lowest] = place;
    }
    if (end - first === FRAME_SAMPLES_MAX) this.#findHighest(fp);
  }

  #makeRoomForFingerprint(fp: number): void {
    this.#fps = fp + 1;
    this.#rows = grown(this.#rows, this.#fps);
    this.#lowest = grown(this.#lowest, this.#fps);
    this.#highest = grown(this.#highest, this.#fps);
    this.#leaving = grown(this.#leaving, this.#fps);
    this.#places = grown(this.#places, this.#fps * FRAME_SAMPLES_MAX);
  }

  #makeRoomForSamples(samples: number): void {
    this.#priority = grown(this.#priority, samples);
    this.#ms = grown(this.#ms, samples);
    this.#status = grown(this.#status, samples);
    this.#asn = grown(this.#asn, samples);
    this.#length = grown(this.#length, samples);
  }
}

/** At most so many units. */
function clip(text: string, maxChars: number): string {
  return text.length > maxChars ? text.slice(0, maxChars) : text;
}
