/**
 * Version 2 of the frame, in which everything per row or fingerprint is one `bin`: one copy to an aligned address gives
 * all typed views, nothing is made per row. One msgpack map:
 *
 *   v, id, source, base, counters, weight (of sampled rows only)
 *   n         rows, fingerprints, fingerprints with global signals
 *   cols      little-endian, the widest first, so that each starts aligned:
 *             gat f64 │ gval f64×10 │ keys u32×5 │ at flags ip ua path host asn u32 │ fp u16 │ gfp u16
 *   samples   packed by themselves (samples.ts)
 *   scores, dets   where any row has them (marks.ts)
 */
import { FRAME_ROWS_MAX, FRAME_SAMPLES_BYTES_MAX } from "../config.ts";
import { pack } from "./codec.ts";
import type { Fields } from "./fields.ts";
import { COUNTERS, type Frame, FrameError } from "./frame-form.ts";
import { KEY_WORDS } from "./key.ts";
import { marksOf, wireFlags } from "./marks.ts";
import { GLOBAL_SIGNALS } from "./signal-names.ts";

const ROW_BYTES = 7 * 4 + 2;
const KEY_BYTES = KEY_WORDS * 4;
const SIGNALS_BYTES = (1 + GLOBAL_SIGNALS.length) * 8 + 2;

/** The frame's columns, in one block of memory. */
type Columns = Pick<Frame, "keys" | "fp" | "at" | "flags" | "identities" | "signals">;

/** The frame of an unpacked map, its contents unchecked beyond lengths and types (`checkFrame`). */
export function readFrameV2(fields: Fields): Frame {
  const [rows, fps, signals] = fields.counts("n", 3) as [number, number, number];
  // Before the sum: it must stay exact.
  if (rows > FRAME_ROWS_MAX || fps > rows || signals > fps) throw new FrameError("malformed");
  const length = rows * ROW_BYTES + fps * KEY_BYTES + signals * SIGNALS_BYTES;
  const {
    keys,
    fp,
    at,
    flags,
    identities,
    signals: seen,
  } = columnsOf(fields.copy("cols", 1, length), rows, fps, signals);
  const samples = fields.bytes("samples");
  if (samples.length > FRAME_SAMPLES_BYTES_MAX) throw new FrameError("malformed");
  return {
    id: new Uint8Array(fields.bytes("id")),
    source: fields.source("source"),
    baseMs: fields.count("base"),
    fps,
    keys,
    rows,
    fp,
    at,
    flags,
    identities,
    signals: seen,
    samples,
    counters: fields.counters("counters"),
    ...(fields.raw("weight") === undefined ? {} : { weight: fields.count("weight") }),
  };
}

/** Where columns are put in order before they are packed, which copies them: at most the 0.6 MB of the longest frame. */
let block = new ArrayBuffer(0);

/** Bytes of a frame in this version. */
export function writeFrameV2(frame: Frame): Uint8Array {
  const { rows, fps, signals, identities } = frame;
  const length = rows * ROW_BYTES + fps * KEY_BYTES + signals.fp.length * SIGNALS_BYTES;
  if (length > block.byteLength) block = new ArrayBuffer(length);
  const columns = columnsOf(block, rows, fps, signals.fp.length);
  columns.signals.seenAtMs.set(signals.seenAtMs);
  columns.signals.values.set(signals.values);
  columns.signals.fp.set(signals.fp);
  columns.keys.set(frame.keys);
  columns.at.set(frame.at);
  columns.flags.set(wireFlags(frame.flags));
  columns.identities.ip.set(identities.ip);
  columns.identities.ua.set(identities.ua);
  columns.identities.path.set(identities.path);
  columns.identities.host.set(identities.host);
  columns.identities.asn.set(identities.asn);
  columns.fp.set(frame.fp);
  return pack({
    v: 2,
    id: frame.id,
    source: frame.source,
    base: frame.baseMs,
    n: [rows, fps, signals.fp.length],
    cols: new Uint8Array(block, 0, length),
    samples: frame.samples,
    counters: COUNTERS.map((name) => frame.counters[name]),
    ...(frame.weight === undefined ? {} : { weight: frame.weight }),
    ...marksOf(frame),
  });
}

/** Typed views on a block; the order of columns is the wire's. */
function columnsOf(block: ArrayBuffer, rows: number, fps: number, signals: number): Columns {
  const seenAtMs = new Float64Array(block, 0, signals);
  const values = new Float64Array(block, seenAtMs.byteLength, signals * GLOBAL_SIGNALS.length);
  let at = seenAtMs.byteLength + values.byteLength;
  const keys = new Uint32Array(block, at, fps * KEY_WORDS);
  at += keys.byteLength;
  const column = (index: number) => new Uint32Array(block, at + index * rows * 4, rows);
  const shorts = at + 7 * rows * 4;
  return {
    keys,
    at: column(0),
    flags: column(1),
    identities: { ip: column(2), ua: column(3), path: column(4), host: column(5), asn: column(6) },
    fp: new Uint16Array(block, shorts, rows),
    signals: { fp: new Uint16Array(block, shorts + rows * 2, signals), seenAtMs, values },
  };
}
