/**
 * Fills frames row by row: growing columns, a table of fingerprints, the newest signals and a few samples of each. Nothing
 * is kept of a row but its numbers, and the texts of those that are samples.
 */
import { FRAME_BYTES_TARGET, FRAME_ROWS_MAX } from "../config.ts";
import { DetectionColumn } from "./detection-column.ts";
import { type Counters, FRAME_ID_BYTES, type Frame, type Source } from "./frame-form.ts";
import { grown } from "./grown.ts";
import { KEY_WORDS, packKey } from "./key.ts";
import { SamplePicks } from "./sample-picks.ts";
import { GLOBAL_SIGNALS } from "./signal-names.ts";

/** One observation in the frame's terms: flags and hashes instead of facts and identities. */
export interface Row {
  /** Whole ms. */
  timestampMs: number;
  /** "" = no JA4. */
  ja4: string;
  /** Facts, identities, bot score (flags.ts). */
  flags: number;
  /** Hashes, and the ASN as a number; 0 where the flag says that there is none. */
  ipHash: number;
  uaHash: number;
  pathHash: number;
  hostHash: number;
  asnNumber: number;
  /** Dense, in the order of GLOBAL_SIGNALS; NaN = absent. Copied: it may be a buffer that is used again. */
  signals: Float64Array | undefined;
  /** What a sample shows. */
  path: string | undefined;
  host: string | undefined;
  method: string | undefined;
  status: number | undefined;
  asn: number | undefined;
  rayId: string | undefined;
  /** All different, 32 bits, DETECTIONS_A_ROW_MAX at most; absent = none. Copied. */
  detectionIds?: readonly number[] | undefined;
}

export const NO_COUNTERS: Counters = { rejected: 0, expired: 0, lost_at_edge: 0, fields_dropped: 0 };

const FIRST_ROWS = 64;
const FIRST_FINGERPRINTS = 16;
const SIGNALS = GLOBAL_SIGNALS.length;
/** Fingerprints that a builder remembers from one frame to the next, about 150 B each; with more it forgets them all. */
const KNOWN_MAX = 1_024;
/** Bytes of a row's fixed columns, its score and its number of detection ids, and what a fingerprint adds in the longer of the two forms. */
const ROW_BYTES = 2 + 4 * 7 + 2;
const FINGERPRINT_BYTES = 40;
const SIGNALS_BYTES = 8 * SIGNALS + 10;

export class FrameBuilder {
  #rows = 0;
  #bytes = 0;
  #baseMs = 0;
  #ms = new Float64Array(FIRST_ROWS);
  #fp = new Uint16Array(FIRST_ROWS);
  #flags = new Uint32Array(FIRST_ROWS);
  #ip = new Uint32Array(FIRST_ROWS);
  #ua = new Uint32Array(FIRST_ROWS);
  #path = new Uint32Array(FIRST_ROWS);
  #host = new Uint32Array(FIRST_ROWS);
  #asn = new Uint32Array(FIRST_ROWS);
  /**
   * Fingerprints of this frame and the ones before, each with a slot, and their packed keys: the same come again with every
   * frame, and to check and pack one costs more than the rest of a row.
   */
  readonly #slots = new Map<string, number>();
  readonly #ja4s: string[] = [];
  #slotKeys = new Uint32Array(FIRST_FINGERPRINTS * KEY_WORDS);
  /** Place of each slot's fingerprint in this frame's table; what is past the table, or another's place, is from before. */
  #slotFp = new Uint16Array(FIRST_FINGERPRINTS);
  /** This frame's table: a slot each. */
  #table = new Uint16Array(FIRST_FINGERPRINTS);
  #fps = 0;
  /** Time of the newest signals of each fingerprint, ms; −1 = none. */
  #signalsMs = new Float64Array(FIRST_FINGERPRINTS);
  #signals = new Float64Array(FIRST_FINGERPRINTS * SIGNALS);
  #signalled = 0;
  readonly #samples = new SamplePicks();
  readonly #detections = new DetectionColumn();

  get rows(): number {
    return this.#rows;
  }

  /** About how long the frame will be, in either version; never less. */
  get bytes(): number {
    return this.#bytes + this.#samples.bytes;
  }

  /** Whether the next row should go to another frame. */
  isFull(): boolean {
    return this.#rows >= FRAME_ROWS_MAX || this.bytes >= FRAME_BYTES_TARGET;
  }

  /**
   * Takes a row over: nothing of the object is kept, the caller may use it again. Throws `RangeError` when the frame is
   * full, and when `ja4` is neither a fingerprint nor "".
   */
  add(row: Row): void {
    const at = this.#rows;
    if (this.isFull()) throw new RangeError("the frame is full");
    const fp = this.#fpOf(row.ja4);
    if (at === this.#fp.length) this.#growRows(2 * at);
    const ms = row.timestampMs;
    if (at === 0 || ms < this.#baseMs) this.#baseMs = ms;
    this.#ms[at] = ms;
    this.#fp[at] = fp;
    this.#flags[at] = row.flags;
    this.#ip[at] = row.ipHash;
    this.#ua[at] = row.uaHash;
    this.#path[at] = row.pathHash;
    this.#host[at] = row.hostHash;
    this.#asn[at] = row.asnNumber;
    this.#rows = at + 1;
    this.#bytes += ROW_BYTES;
    if (row.signals !== undefined && ms >= this.#signalsMs[fp]!) this.#takeSignals(fp, ms, row.signals);
    // Rows without a fingerprint are nobody's evidence.
    if (row.ja4 !== "") this.#samples.offer(fp, row);
    if (row.detectionIds !== undefined) this.#bytes += this.#detections.add(at, row.detectionIds);
  }

  /** The frame so far. Its columns are the builder's own: it is good until the next row or `reset`. */
  build(id: Uint8Array, source: Source, counters: Counters): Frame {
    if (id.length !== FRAME_ID_BYTES) throw new RangeError(`a frame's id has ${FRAME_ID_BYTES} bytes`);
    const rows = this.#rows;
    const baseMs = this.#baseMs;
    const at = new Uint32Array(rows);
    const ms = this.#ms;
    for (let row = 0; row < rows; row++) at[row] = ms[row]! - baseMs;
    return {
      id,
      source,
      baseMs,
      fps: this.#fps,
      keys: this.#keys(),
      rows,
      fp: this.#fp.subarray(0, rows),
      at,
      flags: this.#flags.subarray(0, rows),
      identities: {
        ip: this.#ip.subarray(0, rows),
        ua: this.#ua.subarray(0, rows),
        path: this.#path.subarray(0, rows),
        host: this.#host.subarray(0, rows),
        asn: this.#asn.subarray(0, rows),
      },
      signals: this.#newestSignals(),
      samples: this.#samples.pack(baseMs),
      counters,
      ...this.#detections.build(rows),
    };
  }

  /**
   * Hands copies of all rows on, each to the builder that `partOf` names for its fingerprint ("" = none); it is asked once a
   * fingerprint. What the builders hold stays; that there is room for all rows is the caller's care.
   */
  splitInto(partOf: (ja4: string) => FrameBuilder): void {
    const parts: FrameBuilder[] = [];
    const fps = new Uint16Array(this.#fps);
    for (let fp = 0; fp < this.#fps; fp++) {
      const ja4 = this.#ja4s[this.#table[fp]!]!;
      const part = partOf(ja4);
      const into = part.#fpOf(ja4);
      parts.push(part);
      fps[fp] = into;
      this.#samples.copyTo(fp, part.#samples, into);
      const ms = this.#signalsMs[fp]!;
      if (ms !== -1 && ms >= part.#signalsMs[into]!)
        part.#takeSignals(into, ms, this.#signals.subarray(fp * SIGNALS, (fp + 1) * SIGNALS));
    }
    const detections = this.#detections.walk();
    for (let row = 0; row < this.#rows; row++) {
      const fp = this.#fp[row]!;
      const part = parts[fp]!;
      const at = part.#rows;
      if (at === part.#fp.length) part.#growRows(2 * at);
      const ms = this.#ms[row]!;
      if (at === 0 || ms < part.#baseMs) part.#baseMs = ms;
      part.#ms[at] = ms;
      part.#fp[at] = fps[fp]!;
      part.#flags[at] = this.#flags[row]!;
      part.#ip[at] = this.#ip[row]!;
      part.#ua[at] = this.#ua[row]!;
      part.#path[at] = this.#path[row]!;
      part.#host[at] = this.#host[row]!;
      part.#asn[at] = this.#asn[row]!;
      part.#rows = at + 1;
      part.#bytes += ROW_BYTES + part.#detections.add(at, detections(row));
    }
  }

  /** Empties the builder for the next frame; the columns keep their room. */
  reset(): void {
    this.#rows = 0;
    this.#baseMs = 0;
    this.#bytes = 0;
    this.#fps = 0;
    this.#signalled = 0;
    this.#samples.reset();
    this.#detections.reset();
    if (this.#ja4s.length <= KNOWN_MAX) return;
    this.#slots.clear();
    this.#ja4s.length = 0;
  }

  /** Place of a fingerprint in this frame's table. */
  #fpOf(ja4: string): number {
    const slot = this.#slots.get(ja4) ?? this.#learn(ja4);
    const fp = this.#slotFp[slot]!;
    return fp < this.#fps && this.#table[fp] === slot ? fp : this.#enter(slot);
  }

  /** A slot for a fingerprint that was not seen before. */
  #learn(ja4: string): number {
    const slot = this.#ja4s.length;
    this.#slotKeys = grown(this.#slotKeys, (slot + 1) * KEY_WORDS);
    if (!packKey(ja4, this.#slotKeys, slot * KEY_WORDS)) throw new RangeError("not a JA4 fingerprint");
    this.#slotFp = grown(this.#slotFp, slot + 1);
    this.#ja4s.push(ja4);
    this.#slots.set(ja4, slot);
    return slot;
  }

  /** Puts a slot's fingerprint into this frame's table. */
  #enter(slot: number): number {
    const fp = this.#fps++;
    this.#table = grown(this.#table, fp + 1);
    this.#signalsMs = grown(this.#signalsMs, fp + 1);
    this.#signals = grown(this.#signals, (fp + 1) * SIGNALS);
    this.#table[fp] = slot;
    this.#slotFp[slot] = fp;
    this.#signalsMs[fp] = -1;
    this.#bytes += FINGERPRINT_BYTES;
    return fp;
  }

  #keys(): Uint32Array {
    const keys = new Uint32Array(this.#fps * KEY_WORDS);
    for (let fp = 0, to = 0; fp < this.#fps; fp++) {
      const from = this.#table[fp]! * KEY_WORDS;
      for (let word = from; word < from + KEY_WORDS; word++) keys[to++] = this.#slotKeys[word]!;
    }
    return keys;
  }

  #takeSignals(fp: number, ms: number, values: Float64Array): void {
    if (this.#signalsMs[fp] === -1) {
      this.#signalled++;
      this.#bytes += SIGNALS_BYTES;
    }
    this.#signalsMs[fp] = ms;
    this.#signals.set(values, fp * SIGNALS);
  }

  #newestSignals(): Frame["signals"] {
    const fp = new Uint16Array(this.#signalled);
    const seenAtMs = new Float64Array(this.#signalled);
    const values = new Float64Array(this.#signalled * SIGNALS);
    for (let index = 0, i = 0; index < this.#fps; index++) {
      const ms = this.#signalsMs[index]!;
      if (ms === -1) continue;
      fp[i] = index;
      seenAtMs[i] = ms;
      for (let signal = 0; signal < SIGNALS; signal++)
        values[i * SIGNALS + signal] = this.#signals[index * SIGNALS + signal]!;
      i++;
    }
    return { fp, seenAtMs, values };
  }

  #growRows(rows: number): void {
    this.#ms = grown(this.#ms, rows);
    this.#fp = grown(this.#fp, rows);
    this.#flags = grown(this.#flags, rows);
    this.#ip = grown(this.#ip, rows);
    this.#ua = grown(this.#ua, rows);
    this.#path = grown(this.#path, rows);
    this.#host = grown(this.#host, rows);
    this.#asn = grown(this.#asn, rows);
  }
}
