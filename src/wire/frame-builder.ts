/** Fills frames row by row: growing columns, a string table, the newest signals and a few samples a fingerprint. */
import {
  FRAME_BYTES_TARGET,
  FRAME_ROWS_MAX,
  FRAME_SAMPLES_MAX,
  RAY_ID_MAX_CHARS,
  SAMPLE_TEXT_MAX_CHARS,
} from "../config.ts";
import {
  type Counters,
  type Frame,
  type FrameSample,
  type FrameSignals,
  IDENTITIES,
  type Identity,
  type Source,
} from "./frame.ts";
import { GLOBAL_SIGNALS } from "./signal-names.ts";

/** One observation in the frame's terms: flags and hashes instead of facts and identities. */
export interface Row {
  timestampMs: number;
  /** "" = no JA4. */
  ja4: string;
  flags: number;
  /** Hashes in the order of IDENTITIES; 0 where the flag says that there is none. */
  hashes: Record<Identity, number>;
  signals: Frame["signals"][number]["values"] | undefined;
  path: string | undefined;
  host: string | undefined;
  method: string | undefined;
  status: number | undefined;
  asn: number | undefined;
  rayId: string | undefined;
}

export const NO_COUNTERS: Counters = { rejected: 0, expired: 0, lost_at_edge: 0, fields_dropped: 0 };

/** Bytes of a row's fixed columns, and about what a fingerprint adds (text, signals). */
const ROW_BYTES = 2 + 4 * 7;
const FINGERPRINT_BYTES = 40;
const SIGNALS_BYTES = 8 * GLOBAL_SIGNALS.length + 10;
const SAMPLE_BYTES = 40;

export class FrameBuilder {
  #rows: Row[] = [];
  #bytes = 0;
  readonly #fps = new Map<
    string,
    { index: number; rows: number; samples: Row[]; signals: Row | undefined }
  >();

  /** Whether the next row should go to another frame. */
  isFull(): boolean {
    return this.#rows.length >= FRAME_ROWS_MAX || this.#bytes >= FRAME_BYTES_TARGET;
  }

  add(row: Row): void {
    let fp = this.#fps.get(row.ja4);
    if (fp === undefined) {
      fp = { index: this.#fps.size, rows: 0, samples: [], signals: undefined };
      this.#fps.set(row.ja4, fp);
      this.#bytes += FINGERPRINT_BYTES;
    }
    fp.rows++;
    this.#sample(fp, row);
    if (row.signals !== undefined && row.timestampMs >= (fp.signals?.timestampMs ?? 0)) {
      if (fp.signals === undefined) this.#bytes += SIGNALS_BYTES;
      fp.signals = row;
    }
    this.#rows.push(row);
    this.#bytes += ROW_BYTES;
  }

  /**
   * Every (rows/8)-th row in place of an older sample: spread over the frame without randomness, so that the same
   * request always makes the same frame. Rows without a fingerprint are nobody's evidence.
   */
  #sample(fp: { rows: number; samples: Row[] }, row: Row): void {
    if (row.ja4 === "") return;
    if (fp.samples.length < FRAME_SAMPLES_MAX) {
      fp.samples.push(row);
      // UTF-8 takes up to 3 bytes a unit.
      this.#bytes +=
        SAMPLE_BYTES + 3 * (clip(row.path).length + clip(row.host).length + clip(row.method).length);
    } else if (fp.rows % Math.ceil(fp.rows / FRAME_SAMPLES_MAX) === 0) {
      fp.samples[fp.rows % FRAME_SAMPLES_MAX] = row;
    }
  }

  /** The frame so far. */
  build(id: Uint8Array, source: Source, counters: Counters): Frame {
    const rows = this.#rows;
    const baseMs = rows.reduce((oldest, row) => Math.min(oldest, row.timestampMs), rows[0]?.timestampMs ?? 0);
    const column = (value: (row: Row) => number) => Uint32Array.from(rows, value);
    const identities = Object.fromEntries(
      IDENTITIES.map((name) => [name, column((row) => row.hashes[name])]),
    ) as Frame["identities"];
    const signals: FrameSignals[] = [];
    const samples: FrameSample[] = [];
    for (const fp of this.#fps.values()) {
      if (fp.signals?.signals !== undefined) {
        signals.push({ fp: fp.index, seenAtMs: fp.signals.timestampMs, values: fp.signals.signals });
      }
      for (const row of fp.samples) samples.push(sampleOf(row, fp, baseMs));
    }
    return {
      id,
      source,
      baseMs,
      fps: [...this.#fps.keys()],
      rows: rows.length,
      fp: Uint16Array.from(rows, (row) => this.#fps.get(row.ja4)!.index),
      at: column((row) => row.timestampMs - baseMs),
      flags: column((row) => row.flags),
      identities,
      signals,
      samples,
      counters,
    };
  }
}

function sampleOf(
  row: Row,
  fp: { index: number; rows: number; samples: Row[] },
  baseMs: number,
): FrameSample {
  return {
    fp: fp.index,
    at: row.timestampMs - baseMs,
    weight: Math.max(1, Math.round(fp.rows / fp.samples.length)),
    status: row.status ?? 0,
    asn: row.asn ?? -1,
    path: clip(row.path),
    host: clip(row.host),
    method: clip(row.method),
    ray: (row.rayId ?? "").slice(0, RAY_ID_MAX_CHARS),
  };
}

function clip(text: string | undefined): string {
  return (text ?? "").slice(0, SAMPLE_TEXT_MAX_CHARS);
}
