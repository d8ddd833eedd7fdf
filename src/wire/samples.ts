/**
 * Samples of a frame: single requests that become an anomaly's evidence. They travel packed by themselves inside the frame
 * and are unpacked only when an anomaly asks for them, so most never are.
 *
 * One msgpack map:
 *   n      samples
 *   cols   at, weight, asn (u32 each), fp, status, path, host, method, ray (u16 each): one column after the other
 *   text   the texts of all samples, one after the other, as UTF-8: path, host, method, ray of the first, then of the next
 *
 * The text columns hold lengths in UTF-16 units, or SAME where the sample before has the same text. The highest bit of
 * `status` says that the ASN is known (0 is one that can be sent).
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
const SAME = 0xffff;
/** Prescan limits: three members, and room for some that this code does not know. */
const LIMITS = { depth: 2, items: 32, textBytes: 32 };

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Packs samples one by one: the caller may hand over the same object again and again. */
export class SampleWriter {
  readonly #count: number;
  readonly #words: Uint32Array;
  readonly #shorts: Uint16Array;
  readonly #cols: Uint8Array;
  readonly #texts: string[] = [];
  #written = 0;
  #path = "";
  #host = "";
  #method = "";
  #ray = "";

  /** `count`: how many there will be. */
  constructor(count: number) {
    const cols = new ArrayBuffer(count * SAMPLE_BYTES);
    this.#count = count;
    this.#words = new Uint32Array(cols, 0, count * WORD_COLUMNS);
    this.#shorts = new Uint16Array(cols, this.#words.byteLength, count * SHORT_COLUMNS);
    this.#cols = new Uint8Array(cols);
  }

  /** Texts are made whole where they hold half of a surrogate pair, or they could not travel as UTF-8. */
  add({ fp, at, weight, status, asn, path, host, method, ray }: Readonly<FrameSample>): void {
    const n = this.#count;
    const i = this.#written++;
    this.#words[i] = at;
    this.#words[n + i] = weight;
    this.#words[2 * n + i] = Math.max(0, asn);
    this.#shorts[i] = fp;
    this.#shorts[n + i] = (status & ~ASN_KNOWN) | (asn < 0 ? 0 : ASN_KNOWN);
    this.#shorts[2 * n + i] = path === this.#path ? SAME : this.#push(path);
    this.#shorts[3 * n + i] = host === this.#host ? SAME : this.#push(host);
    this.#shorts[4 * n + i] = method === this.#method ? SAME : this.#push(method);
    this.#shorts[5 * n + i] = ray === this.#ray ? SAME : this.#push(ray);
    this.#path = path;
    this.#host = host;
    this.#method = method;
    this.#ray = ray;
  }

  /** The packed samples; nothing at all when there are none. */
  bytes(): Uint8Array {
    if (this.#count === 0) return new Uint8Array();
    return pack({ n: this.#count, cols: this.#cols, text: utf8(this.#texts) });
  }

  #push(text: string): number {
    this.#texts.push(text);
    return text.length;
  }
}

/** Texts joined, as UTF-8. Each is made whole by itself, or halves of two would join to a character of none. */
function utf8(texts: readonly string[]): Uint8Array {
  const joined = texts.join("");
  const bytes = encoder.encode(joined);
  // As many bytes as units are ASCII, which nearly all are.
  if (bytes.length === joined.length) return bytes;
  return encoder.encode(texts.map((text) => text.toWellFormed()).join(""));
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
  const texts = new Texts(fields.bytes("text"));
  const samples: FrameSample[] = [];
  let [path, host, method, ray] = ["", "", "", ""];
  for (let i = 0; i < n; i++) {
    const fp = shorts[i]!;
    if (fp >= fps) throw new FrameError("malformed");
    const status = shorts[n + i]!;
    path = texts.next(shorts[2 * n + i]!, path, SAMPLE_TEXT_MAX_CHARS);
    host = texts.next(shorts[3 * n + i]!, host, SAMPLE_TEXT_MAX_CHARS);
    method = texts.next(shorts[4 * n + i]!, method, SAMPLE_TEXT_MAX_CHARS);
    ray = texts.next(shorts[5 * n + i]!, ray, RAY_ID_MAX_CHARS);
    samples.push({
      fp,
      at: words[i]!,
      weight: words[n + i]!,
      status: status & ~ASN_KNOWN,
      asn: (status & ASN_KNOWN) === 0 ? -1 : words[2 * n + i]!,
      path,
      host,
      method,
      ray,
    });
  }
  if (!texts.atEnd) throw new FrameError("malformed");
  return samples;
}

/** Texts cut one by one from what they were joined to. */
class Texts {
  readonly #all: string;
  #at = 0;

  constructor(utf8: Uint8Array) {
    try {
      this.#all = decoder.decode(utf8);
    } catch {
      throw new FrameError("malformed");
    }
  }

  get atEnd(): boolean {
    return this.#at === this.#all.length;
  }

  next(length: number, before: string, maxChars: number): string {
    if (length === SAME) return before;
    const end = this.#at + length;
    if (length > maxChars || end > this.#all.length) throw new FrameError("malformed");
    const text = this.#all.slice(this.#at, end);
    // A cut within a surrogate pair would leave two halves.
    if (!text.isWellFormed()) throw new FrameError("malformed");
    this.#at = end;
    return text;
  }
}
