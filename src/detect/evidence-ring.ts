/**
 * The newest samples of a shard, over all fingerprints: bounded, so a flood costs evidence of others at worst. They stay
 * packed as the frames brought them, with the fingerprints they are of; only what an anomaly asks for is unpacked.
 */
import { ImageError, type ImageReader, type ImageWriter, layoutOf } from "../base/image.ts";
import { EVIDENCE_BYTES_MAX, EVIDENCE_FRAMES_MAX, EVIDENCE_SAMPLES_ENOUGH } from "../config.ts";
import { type Frame, FrameError } from "../wire/frame.ts";
import { KEY_WORDS, packKey } from "../wire/key.ts";
import { decodeSamples, type FrameSample } from "../wire/samples.ts";
import type { Sample } from "./types.ts";

interface Held {
  baseMs: number;
  keys: Uint32Array;
  samples: Uint8Array;
}

/** About what an entry costs besides its bytes: three objects, two of them with a buffer. */
const ENTRY_BYTES = 300;
const LIMITS = { frames: EVIDENCE_FRAMES_MAX, bytes: EVIDENCE_BYTES_MAX };
const LAYOUT = layoutOf("evidence", KEY_WORDS);

export class EvidenceRing {
  readonly #maxBytes: number;
  readonly #ring: (Held | undefined)[];
  #oldest = 0;
  #count = 0;
  #bytes = 0;
  /** Frames' samples that turned out not to be any. */
  unreadable = 0;

  constructor(limits = LIMITS) {
    this.#maxBytes = limits.bytes;
    this.#ring = new Array<Held | undefined>(limits.frames).fill(undefined);
  }

  /** The ring that an image was written of; of what does not fit these limits the oldest is left out. Throws an ImageError. */
  static readImage(reader: ImageReader, limits = LIMITS): EvidenceRing {
    reader.section(LAYOUT);
    const ring = new EvidenceRing(limits);
    ring.unreadable = reader.u32();
    const newest: Held[] = [];
    for (let left = reader.u32(); left > 0; left--) {
      const held = { baseMs: reader.int(), keys: reader.words().slice(), samples: reader.bytes().slice() };
      if (held.keys.length % KEY_WORDS !== 0) throw new ImageError("malformed");
      newest.push(held);
    }
    for (const held of newest.reverse()) ring.#keep(held);
    return ring;
  }

  /** Everything in here, the newest first. Changes nothing. */
  writeImage(writer: ImageWriter): void {
    writer.section(LAYOUT);
    writer.u32(this.unreadable);
    writer.u32(this.#count);
    for (let i = this.#count - 1; i >= 0; i--) {
      const { baseMs, keys, samples } = this.#at(i);
      writer.int(baseMs);
      writer.words(keys);
      writer.bytes(samples);
    }
  }

  /** Bytes held, the JavaScript objects estimated. */
  get byteLength(): number {
    return this.#bytes;
  }

  /** Keeps a copy of the frame's samples, in place of the oldest ones where there is no room. */
  add(frame: Pick<Frame, "baseMs" | "keys" | "samples">): void {
    const { baseMs, keys, samples } = frame;
    if (samples.length > 0) this.#keep({ baseMs, keys: keys.slice(), samples: samples.slice() });
  }

  #keep(held: Held): void {
    while (
      this.#count === this.#ring.length ||
      (this.#count > 0 && this.#bytes + sizeOf(held) > this.#maxBytes)
    )
      this.#dropOldest();
    this.#ring[(this.#oldest + this.#count) % this.#ring.length] = held;
    this.#count++;
    this.#bytes += sizeOf(held);
  }

  /**
   * Samples of some fingerprints since a time, newest frames first, in one pass over all that is held. A fingerprint that has
   * `enough` is looked for no further, so whoever floods is told of by the newest frames.
   */
  of(ja4s: Iterable<string>, sinceMs: number, enough = EVIDENCE_SAMPLES_ENOUGH): Map<string, Sample[]> {
    const wanted = new WantedKeys(ja4s);
    for (let i = this.#count - 1; i >= 0 && wanted.size > 0; i--) {
      const held = this.#at(i);
      const found = wanted.among(held.keys);
      if (found.size === 0) continue;
      for (const sample of this.#unpack(held)) {
        const samples = found.get(sample.fp);
        if (samples === undefined || held.baseMs + sample.at <= sinceMs) continue;
        samples.list.push(heldSample(samples.ja4, held.baseMs, sample));
      }
      for (const { ja4, list } of found.values()) if (list.length >= enough) wanted.drop(ja4);
    }
    return wanted.samples;
  }

  /** The i-th oldest. */
  #at(i: number): Held {
    return this.#ring[(this.#oldest + i) % this.#ring.length]!;
  }

  /** What does not unpack costs itself only, and is counted once. */
  #unpack(held: Held): FrameSample[] {
    try {
      return decodeSamples(held.samples, held.keys.length / KEY_WORDS);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.unreadable++;
      this.#bytes -= sizeOf(held);
      held.samples = new Uint8Array();
      this.#bytes += sizeOf(held);
      return [];
    }
  }

  #dropOldest(): void {
    this.#bytes -= sizeOf(this.#ring[this.#oldest]!);
    this.#ring[this.#oldest] = undefined;
    this.#oldest = (this.#oldest + 1) % this.#ring.length;
    this.#count--;
  }
}

function sizeOf({ keys, samples }: Held): number {
  return keys.byteLength + samples.byteLength + ENTRY_BYTES;
}

interface Wanted {
  readonly ja4: string;
  readonly list: Sample[];
}

/** Fingerprints that are looked for, found in a frame's table by the word that differs in most of them. */
class WantedKeys {
  readonly samples = new Map<string, Sample[]>();
  readonly #byWord = new Map<number, { key: Uint32Array; wanted: Wanted }[]>();
  /** Whether a word can be one of theirs, by its last bits: most keys of most frames are ruled out without a Map. */
  readonly #filter = new Uint8Array(4_096);
  readonly #sought = new Set<string>();

  constructor(ja4s: Iterable<string>) {
    for (const ja4 of ja4s) {
      const key = new Uint32Array(KEY_WORDS);
      if (ja4 === "" || this.samples.has(ja4) || !packKey(ja4, key, 0)) continue;
      const list: Sample[] = [];
      this.samples.set(ja4, list);
      this.#sought.add(ja4);
      const word = key[WORD]!;
      this.#filter[word & 4_095] = 1;
      const same = this.#byWord.get(word) ?? [];
      this.#byWord.set(word, [...same, { key, wanted: { ja4, list } }]);
    }
  }

  /** How many are still looked for. */
  get size(): number {
    return this.#sought.size;
  }

  drop(ja4: string): void {
    this.#sought.delete(ja4);
  }

  /** Those that are in a table, by index. */
  among(keys: Uint32Array): Map<number, Wanted> {
    const found = new Map<number, Wanted>();
    for (let at = 0; at < keys.length; at += KEY_WORDS) {
      const word = keys[at + WORD]!;
      if (this.#filter[word & 4_095] === 0) continue;
      for (const { key, wanted } of this.#byWord.get(word) ?? [])
        if (this.#sought.has(wanted.ja4) && key.every((part, i) => part === keys[at + i]))
          found.set(at / KEY_WORDS, wanted);
    }
    return found;
  }
}

/** The word of a key that holds most of part c. */
const WORD = 3;

function heldSample(
  ja4: string,
  baseMs: number,
  { at, weight, status, asn, path, host, method, ray }: FrameSample,
): Sample {
  return {
    ja4,
    atMs: baseMs + at,
    weight,
    ...(status === 0 ? {} : { status }),
    ...(asn < 0 ? {} : { asn }),
    ...(path === "" ? {} : { path }),
    ...(host === "" ? {} : { host }),
    ...(method === "" ? {} : { method }),
    ...(ray === "" ? {} : { rayId: ray }),
  };
}
