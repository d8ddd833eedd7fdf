/**
 * The newest samples of a shard, over all fingerprints: bounded, so a flood costs evidence of others at worst. They stay
 * packed as the frames brought them, with the fingerprints they are of; only what an anomaly asks for is unpacked.
 */
import { EVIDENCE_BYTES_MAX, EVIDENCE_FRAMES_MAX } from "../config.ts";
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

export class EvidenceRing {
  readonly #maxBytes: number;
  readonly #ring: (Held | undefined)[];
  #oldest = 0;
  #count = 0;
  #bytes = 0;
  /** Frames' samples that turned out not to be any. */
  unreadable = 0;

  constructor(limits = { frames: EVIDENCE_FRAMES_MAX, bytes: EVIDENCE_BYTES_MAX }) {
    this.#maxBytes = limits.bytes;
    this.#ring = new Array<Held | undefined>(limits.frames).fill(undefined);
  }

  /** Bytes held, the JavaScript objects estimated. */
  get byteLength(): number {
    return this.#bytes;
  }

  /** Keeps a copy of the frame's samples, in place of the oldest ones where there is no room. */
  add({ baseMs, keys, samples }: Pick<Frame, "baseMs" | "keys" | "samples">): void {
    if (samples.length === 0) return;
    const held = { baseMs, keys: keys.slice(), samples: samples.slice() };
    while (
      this.#count === this.#ring.length ||
      (this.#count > 0 && this.#bytes + sizeOf(held) > this.#maxBytes)
    )
      this.#dropOldest();
    this.#ring[(this.#oldest + this.#count) % this.#ring.length] = held;
    this.#count++;
    this.#bytes += sizeOf(held);
  }

  /** Samples of one fingerprint since a time, in no order. */
  *of(ja4: string, sinceMs: number): Generator<Sample> {
    const wanted = new Uint32Array(KEY_WORDS);
    if (ja4 === "" || !packKey(ja4, wanted, 0)) return;
    for (let i = 0; i < this.#count; i++) {
      const held = this.#ring[(this.#oldest + i) % this.#ring.length]!;
      const fp = indexOf(held.keys, wanted);
      if (fp < 0) continue;
      for (const sample of this.#unpack(held)) {
        if (sample.fp === fp && held.baseMs + sample.at > sinceMs) yield heldSample(ja4, held.baseMs, sample);
      }
    }
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

/** Index of a key in a table; −1 = not there. */
function indexOf(keys: Uint32Array, wanted: Uint32Array): number {
  // The words with parts b and c first: most fingerprints differ there.
  for (let at = 0; at < keys.length; at += KEY_WORDS) {
    if (
      keys[at + 2] === wanted[2] &&
      keys[at + 1] === wanted[1] &&
      keys[at + 3] === wanted[3] &&
      keys[at] === wanted[0] &&
      keys[at + 4] === wanted[4]
    )
      return at / KEY_WORDS;
  }
  return -1;
}

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
