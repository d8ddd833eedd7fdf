/**
 * Which rows of a frame become samples. Of every fingerprint those rows whose priority is lowest, a hash of the row's place
 * among the fingerprint's rows, its time and its identities: a uniform sample without replacement, as with random priorities
 * (bottom-k; Cohen and Kaplan 2007), yet the same rows always give the same samples. Every n-th row would keep step with
 * traffic that repeats itself, and priorities by place alone would favour the same places in every frame.
 */
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

/** How many of its rows stand for a fingerprint. */
function samplesFor(rows: number): number {
  const wanted = Math.max(FRAME_SAMPLES_MIN, Math.floor(rows / FRAME_SAMPLE_ROWS));
  return Math.min(rows, wanted, FRAME_SAMPLES_MAX);
}

/** A bijection of 32-bit words whose every bit depends on all (the finaliser of MurmurHash3, Appleby 2011). */
function mix(word: number): number {
  let h = word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

export class SamplePicks {
  /** Rows of each fingerprint, how many of them are held, and where: FRAME_SAMPLES_MAX places each, by priority. */
  #rows = new Uint32Array(FIRST_FINGERPRINTS);
  #held = new Uint8Array(FIRST_FINGERPRINTS);
  #places = new Uint16Array(FIRST_FINGERPRINTS * FRAME_SAMPLES_MAX);
  #fps = 0;
  /** One entry a held row. */
  #priority = new Uint32Array(FIRST_SAMPLES);
  #ms = new Float64Array(FIRST_SAMPLES);
  #status = new Uint16Array(FIRST_SAMPLES);
  #asn = new Float64Array(FIRST_SAMPLES);
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
    this.#makeRoom(fp);
    const rows = this.#rows[fp]!;
    this.#rows[fp] = rows + 1;
    // The identities are keyed hashes: nobody outside can aim at being a sample, or at not being one.
    const priority = mix(Math.imul(rows, 0x9e3779b1) ^ row.timestampMs ^ row.ipHash ^ row.pathHash);
    const first = fp * FRAME_SAMPLES_MAX;
    const held = this.#held[fp]!;
    let place = this.#count;
    if (held === FRAME_SAMPLES_MAX) {
      place = this.#places[first + held - 1]!;
      if (priority >= this.#priority[place]!) return;
      this.#bytes -= this.#bytesOf(place);
    } else {
      this.#held[fp] = held + 1;
      this.#count++;
    }
    this.#put(place, priority, row);
    this.#insert(first, Math.min(held, FRAME_SAMPLES_MAX - 1), place, priority);
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
      const rows = this.#rows[fp]!;
      const mine = this.#samplesOf(fp);
      // One that is drawn for several fingerprints stands for the rows of them all.
      const weight = this.#isDrawn(fp) ? FRAME_SAMPLE_ROWS : rows;
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
    if (rows === 0 || !this.#isDrawn(fp)) return samplesFor(rows);
    // The lowest of n uniform priorities, made uniform again.
    const lowest = this.#priority[this.#places[fp * FRAME_SAMPLES_MAX]!]! / 2 ** 32;
    return 1 - (1 - lowest) ** rows < rows / FRAME_SAMPLE_ROWS ? 1 : 0;
  }

  /** Gives the samples of a fingerprint to `into`, which has none of its fingerprint `intoFp` yet. */
  copyTo(fp: number, into: SamplePicks, intoFp: number): void {
    const rows = fp < this.#fps ? this.#rows[fp]! : 0;
    const held = Math.min(rows, FRAME_SAMPLES_MAX);
    for (let i = 0; i < held; i++) {
      into.#makeRoom(intoFp);
      const from = this.#places[fp * FRAME_SAMPLES_MAX + i]!;
      const to = into.#count++;
      into.#priority[to] = this.#priority[from]!;
      into.#ms[to] = this.#ms[from]!;
      into.#status[to] = this.#status[from]!;
      into.#asn[to] = this.#asn[from]!;
      into.#paths[to] = this.#paths[from]!;
      into.#hosts[to] = this.#hosts[from]!;
      into.#methods[to] = this.#methods[from]!;
      into.#rays[to] = this.#rays[from]!;
      into.#bytes += into.#bytesOf(to);
      into.#places[intoFp * FRAME_SAMPLES_MAX + i] = to;
    }
    if (held === 0) return;
    into.#held[intoFp] = held;
    into.#rows[intoFp] = rows;
  }

  reset(): void {
    this.#rows.fill(0, 0, this.#fps);
    this.#held.fill(0, 0, this.#fps);
    this.#fps = 0;
    this.#count = 0;
    this.#bytes = 0;
    // Or the texts of the last frame live as long as the builder.
    for (const texts of [this.#paths, this.#hosts, this.#methods, this.#rays]) texts.length = 0;
  }

  #put(place: number, priority: number, row: Row): void {
    this.#priority[place] = priority;
    this.#ms[place] = row.timestampMs;
    this.#status[place] = row.status ?? 0;
    this.#asn[place] = row.asn ?? -1;
    // Cut to their limits only when they are sent: most of these are replaced, or one too many.
    this.#paths[place] = row.path ?? "";
    this.#hosts[place] = row.host ?? "";
    this.#methods[place] = row.method ?? "";
    this.#rays[place] = row.rayId ?? "";
    this.#bytes += this.#bytesOf(place);
  }

  /** Keeps the places of a fingerprint in order: `held` of them are, the new one moves up from behind them. */
  #insert(first: number, held: number, place: number, priority: number): void {
    const places = this.#places;
    let at = first + held;
    while (at > first && this.#priority[places[at - 1]!]! > priority) {
      places[at] = places[at - 1]!;
      at--;
    }
    places[at] = place;
  }

  #bytesOf(place: number): number {
    const chars =
      Math.min(this.#paths[place]!.length, SAMPLE_TEXT_MAX_CHARS) +
      Math.min(this.#hosts[place]!.length, SAMPLE_TEXT_MAX_CHARS) +
      Math.min(this.#methods[place]!.length, SAMPLE_TEXT_MAX_CHARS) +
      Math.min(this.#rays[place]!.length, RAY_ID_MAX_CHARS);
    return SAMPLE_BYTES + UNIT_BYTES * chars;
  }

  #makeRoom(fp: number): void {
    if (fp >= this.#fps) {
      this.#fps = fp + 1;
      this.#rows = grown(this.#rows, this.#fps);
      this.#held = grown(this.#held, this.#fps);
      this.#places = grown(this.#places, this.#fps * FRAME_SAMPLES_MAX);
    }
    const samples = this.#count + 1;
    this.#priority = grown(this.#priority, samples);
    this.#ms = grown(this.#ms, samples);
    this.#status = grown(this.#status, samples);
    this.#asn = grown(this.#asn, samples);
  }
}

/** At most so many units, and no half of a surrogate pair: msgpack would carry it as bytes that are not UTF-8. */
function clip(text: string, maxChars: number): string {
  return (text.length > maxChars ? text.slice(0, maxChars) : text).toWellFormed();
}
