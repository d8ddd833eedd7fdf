/**
 * Which rows of a frame become samples. Of every fingerprint those rows whose priority is lowest, a hash of the row's place
 * among the fingerprint's rows, its time and its identities: a uniform sample without replacement, as with random priorities
 * (bottom-k; Cohen and Kaplan 2007), yet the same rows always give the same samples. Every n-th row would keep step with
 * traffic that repeats itself, and priorities by place alone would favour the same places in every frame.
 */
import {
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
    for (let fp = 0; fp < this.#fps; fp++) count += samplesFor(this.#rows[fp]!);
    const writer = new SampleWriter(count);
    const sample: FrameSample = {
      ...{ fp: 0, at: 0, weight: 0, status: 0, asn: -1 },
      ...{ path: "", host: "", method: "", ray: "" },
    };
    for (let fp = 0; fp < this.#fps; fp++) {
      const rows = this.#rows[fp]!;
      const mine = samplesFor(rows);
      sample.fp = fp;
      for (let i = 0; i < mine; i++) {
        const place = this.#places[fp * FRAME_SAMPLES_MAX + i]!;
        sample.at = this.#ms[place]! - baseMs;
        // The remainder goes to the first ones, so that the weights add up to the rows.
        sample.weight = Math.floor(rows / mine) + (i < rows % mine ? 1 : 0);
        sample.status = this.#status[place]!;
        sample.asn = this.#asn[place]!;
        sample.path = this.#paths[place]!;
        sample.host = this.#hosts[place]!;
        sample.method = this.#methods[place]!;
        sample.ray = this.#rays[place]!;
        writer.add(sample);
      }
    }
    return writer.bytes();
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
    this.#paths[place] = clip(row.path, SAMPLE_TEXT_MAX_CHARS);
    this.#hosts[place] = clip(row.host, SAMPLE_TEXT_MAX_CHARS);
    this.#methods[place] = clip(row.method, SAMPLE_TEXT_MAX_CHARS);
    this.#rays[place] = clip(row.rayId, RAY_ID_MAX_CHARS);
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
      this.#paths[place]!.length +
      this.#hosts[place]!.length +
      this.#methods[place]!.length +
      this.#rays[place]!.length;
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
function clip(text: string | undefined, maxChars: number): string {
  if (text === undefined) return "";
  return (text.length > maxChars ? text.slice(0, maxChars) : text).toWellFormed();
}
