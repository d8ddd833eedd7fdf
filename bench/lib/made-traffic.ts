/**
 * Traffic without an edge for benchmarks inside one process: fingerprints and identities by number, and frames that are
 * filled in place, so that making them leaves nothing behind that would be measured.
 */

import { FRAME_ROWS_MAX } from "../../src/config.ts";
import type { Window } from "../../src/window/window.ts";
import { factBits, HAS_ASN, HAS_HOST, HAS_IP, HAS_PATH, HAS_UA } from "../../src/wire/flags.ts";
import { FRAME_ID_BYTES, type Frame, IDENTITIES } from "../../src/wire/frame.ts";
import { NO_COUNTERS } from "../../src/wire/frame-builder.ts";
import { KEY_WORDS, packKey, unpackKey } from "../../src/wire/key.ts";
import { scatter } from "./random.ts";

/** Whatever takes observations one by one, in the order of their times. */
export interface Observer {
  /** `values`: one hash an identity, in the order of IDENTITIES; free for other use afterwards. */
  observe(fp: number, ms: number, flags: number, values: Uint32Array): void;
}

const ALL_IDENTITIES = HAS_IP | HAS_UA | HAS_PATH | HAS_HOST | HAS_ASN;
/** Different values of parts a and b. */
const HEADS = 253;
const CIPHERS = 301;

/** Hash of the n-th value of one of a fingerprint's identities: nearly none is shared. */
export function hashOf(fp: number, identity: number, n: number): number {
  return scatter(scatter(Math.imul(fp, 5) + identity) ^ n);
}

/** The n-th fingerprint; those of one part b are many, those of one part c are one. */
export function ja4Of(n: number): string {
  const head = n % HEADS;
  const twelve = (value: number) =>
    scatter(value).toString(16).padStart(8, "0") + scatter(~value).toString(16).padStart(8, "0").slice(0, 4);
  return `t13d${10 + Math.floor(head / 11)}${10 + (head % 11)}h2_${twelve(n % CIPHERS)}_${twelve(n)}`;
}

/** The facts of a fingerprint's requests, and that they carry all identities. */
export function flagsOf(fp: number, n: number): number {
  const facts =
    factBits("h2h3", true) | factBits("browser", fp % 3 !== 0) | factBits("error", (fp + n) % 50 === 0);
  return facts | ALL_IDENTITIES;
}

/** Collects observations in frames and has the window count each when it is full. */
export class FrameFeed implements Observer {
  readonly #window: Pick<Window, "apply">;
  readonly #rowsMax: number;
  readonly #keys: Uint32Array;
  readonly #frame: Frame;
  /** Which frame a fingerprint was last in, and where in its table. */
  readonly #inFrame: Uint32Array;
  readonly #place: Uint16Array;
  #frames = 1;
  #lastMs = 0;

  /** `rowsMax`: rows of a full frame. */
  constructor(window: Pick<Window, "apply">, fingerprints: number, rowsMax = FRAME_ROWS_MAX) {
    this.#window = window;
    this.#rowsMax = rowsMax;
    this.#keys = new Uint32Array(fingerprints * KEY_WORDS);
    for (let fp = 0; fp < fingerprints; fp++) packKey(ja4Of(fp), this.#keys, fp * KEY_WORDS);
    this.#inFrame = new Uint32Array(fingerprints);
    this.#place = new Uint16Array(fingerprints);
    const column = () => new Uint32Array(FRAME_ROWS_MAX);
    this.#frame = {
      id: new Uint8Array(FRAME_ID_BYTES),
      source: "edge",
      ...{ baseMs: 0, fps: 0, rows: 0 },
      keys: new Uint32Array(FRAME_ROWS_MAX * KEY_WORDS),
      fp: new Uint16Array(FRAME_ROWS_MAX),
      at: column(),
      flags: column(),
      identities: { ip: column(), ua: column(), path: column(), host: column(), asn: column() },
      signals: { fp: new Uint16Array(0), seenAtMs: new Float64Array(0), values: new Float64Array(0) },
      samples: new Uint8Array(0),
      counters: NO_COUNTERS,
    };
  }

  observe(fp: number, ms: number, flags: number, values: Uint32Array): void {
    const frame = this.#frame;
    const row = frame.rows++;
    if (row === 0) frame.baseMs = ms;
    this.#lastMs = ms;
    frame.fp[row] = this.#placeOf(fp);
    frame.at[row] = ms - frame.baseMs;
    frame.flags[row] = flags;
    for (let i = 0; i < IDENTITIES.length; i++) frame.identities[IDENTITIES[i]!][row] = values[i]!;
    if (frame.rows === this.#rowsMax) this.flush();
  }

  /** Has the window count what is left. */
  flush(): void {
    if (this.#frame.rows === 0) return;
    this.#window.apply(this.#frame, this.#lastMs);
    this.#frame.rows = 0;
    this.#frame.fps = 0;
    this.#frames++;
  }

  #placeOf(fp: number): number {
    if (this.#inFrame[fp] === this.#frames) return this.#place[fp]!;
    const frame = this.#frame;
    const place = frame.fps++;
    for (let word = 0; word < KEY_WORDS; word++)
      frame.keys[place * KEY_WORDS + word] = this.#keys[fp * KEY_WORDS + word]!;
    this.#inFrame[fp] = this.#frames;
    this.#place[fp] = place;
    return place;
  }
}

/** A fingerprint's text made from its key, as a string that shares nothing with another. */
export function flatJa4(n: number): string {
  const key = new Uint32Array(KEY_WORDS);
  packKey(ja4Of(n), key, 0);
  return unpackKey(key, 0);
}
