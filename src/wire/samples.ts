/**
 * Samples of a frame: single requests that become an anomaly's evidence. They travel packed by themselves inside the frame
 * and are unpacked only when an anomaly asks for them, so most never are.
 *
 * One msgpack map:
 *   n       samples
 *   cols    at, weight, asn (u32 each), fp, status, path, host, method, ray (u16 each): one column after the other
 *   texts   every text once; a column holds 1 + its place, 0 = no text
 *
 * The highest bit of `status` says that the ASN is known (0 is one that can be sent).
 */
import {
  FRAME_ROWS_MAX,
  FRAME_SAMPLES_BYTES_MAX,
  FRAME_SAMPLES_MAX,
  RAY_ID_MAX_CHARS,
  SAMPLE_TEXT_MAX_CHARS,
} from "../config.ts";
import { pack } from "./codec.ts";
import { unpackFields } from "./fields.ts";
import { FrameError } from "./frame-form.ts";

export interface FrameSample {
  /** Index into the frame's table. */
  fp: number;
  /** ms after the frame's `baseMs`. */
  at: number;
  /** Requests of its fingerprint that it stands for. */
  weight: number;
  /** 0 = not known. */
  status: number;
  /** −1 = not known. */
  asn: number;
  path: string;
  host: string;
  method: string;
  ray: string;
}

const WORD_COLUMNS = 3;
const SHORT_COLUMNS = 6;
const SAMPLE_BYTES = WORD_COLUMNS * 4 + SHORT_COLUMNS * 2;
const ASN_KNOWN = 0x8000;
const TEXTS_A_SAMPLE = 4;
/** Prescan limits: the map, its three keys and values, the texts. */
const LIMITS = {
  depth: 2,
  items: 7 + TEXTS_A_SAMPLE * FRAME_ROWS_MAX,
  textBytes: 4 * SAMPLE_TEXT_MAX_CHARS,
};

/** Packs samples one by one: the caller may hand over the same object again and again. */
export class SampleWriter {
  readonly #count: number;
  readonly #words: Uint32Array;
  readonly #shorts: Uint16Array;
  readonly #cols: Uint8Array;
  readonly #places = new Map<string, number>();
  #written = 0;

  /** `count`: how many there will be. */
  constructor(count: number) {
    const cols = new ArrayBuffer(count * SAMPLE_BYTES);
    this.#count = count;
    this.#words = new Uint32Array(cols, 0, count * WORD_COLUMNS);
    this.#shorts = new Uint16Array(cols, this.#words.byteLength, count * SHORT_COLUMNS);
    this.#cols = new Uint8Array(cols);
  }

  add({ fp, at, weight, status, asn, path, host, method, ray }: Readonly<FrameSample>): void {
    const n = this.#count;
    const i = this.#written++;
    this.#words[i] = at;
    this.#words[n + i] = weight;
    this.#words[2 * n + i] = Math.max(0, asn);
    this.#shorts[i] = fp;
    this.#shorts[n + i] = (status & ~ASN_KNOWN) | (asn < 0 ? 0 : ASN_KNOWN);
    this.#shorts[2 * n + i] = this.#place(path);
    this.#shorts[3 * n + i] = this.#place(host);
    this.#shorts[4 * n + i] = this.#place(method);
    this.#shorts[5 * n + i] = this.#place(ray);
  }

  /** The packed samples; nothing at all when there are none. */
  bytes(): Uint8Array {
    if (this.#count === 0) return new Uint8Array();
    return pack({ n: this.#count, cols: this.#cols, texts: [...this.#places.keys()] });
  }

  #place(text: string): number {
    if (text === "") return 0;
    let place = this.#places.get(text);
    if (place === undefined) {
      place = this.#places.size + 1;
      this.#places.set(text, place);
    }
    return place;
  }
}

/** Unpacks the samples of a frame with `fps` fingerprints. The bytes may come from anywhere; throws `FrameError`. */
export function decodeSamples(bytes: Uint8Array, fps: number): FrameSample[] {
  if (bytes.length === 0) return [];
  if (bytes.length > FRAME_SAMPLES_BYTES_MAX) throw new FrameError("too_large");
  const fields = unpackFields(bytes, LIMITS);
  const n = fields.count("n");
  if (n > FRAME_ROWS_MAX || n > fps * FRAME_SAMPLES_MAX) throw new FrameError("malformed");
  const cols = fields.copy("cols", 1, n * SAMPLE_BYTES);
  const words = new Uint32Array(cols, 0, n * WORD_COLUMNS);
  const shorts = new Uint16Array(cols, words.byteLength, n * SHORT_COLUMNS);
  const texts = fields.texts("texts", SAMPLE_TEXT_MAX_CHARS);
  const text = (place: number, maxChars = SAMPLE_TEXT_MAX_CHARS): string => {
    const found = place === 0 ? "" : texts[place - 1];
    if (found === undefined || found.length > maxChars) throw new FrameError("malformed");
    return found;
  };
  const samples: FrameSample[] = [];
  for (let i = 0; i < n; i++) {
    const status = shorts[n + i]!;
    if (shorts[i]! >= fps) throw new FrameError("malformed");
    samples.push({
      fp: shorts[i]!,
      at: words[i]!,
      weight: words[n + i]!,
      status: status & ~ASN_KNOWN,
      asn: (status & ASN_KNOWN) === 0 ? -1 : words[2 * n + i]!,
      path: text(shorts[2 * n + i]!),
      host: text(shorts[3 * n + i]!),
      method: text(shorts[4 * n + i]!),
      ray: text(shorts[5 * n + i]!, RAY_ID_MAX_CHARS),
    });
  }
  return samples;
}
