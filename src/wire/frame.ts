/**
 * The frame: observations on their way from an edge isolate or the API to one shard. It is also what the shard's
 * log stores, so its version is a disk format too.
 *
 * One msgpack map; what is per observation travels as columns of raw little-endian bytes (a map per observation costs
 * 1,690 ns to unpack, a column 3 ns):
 *
 *   v, id, source, baseMs         version, 16-byte id, where it came from, time of the oldest row
 *   fps                           string table of fingerprints; "" = rows without a JA4
 *   fp u16 · at u32 · flags u32 · ip ua path host asn u32    one entry a row
 *   gfp u16 · gat f64 · gval f64×10                          newest global signals, once a fingerprint; NaN = absent
 *   sfp u16 · sat u32 · sweight u32 · sstatus u16 · sasn f64 · paths, hosts, methods, rays    samples (evidence)
 *   counters                      what the sender dropped on the way (`COUNTERS`)
 *
 * A frame is idempotent by its id and otherwise a sum: frames merge by being counted one after the other.
 */
import {
  FRAME_BYTES_MAX,
  FRAME_ROWS_MAX,
  FRAME_SAMPLES_MAX,
  RAY_ID_MAX_CHARS,
  SAMPLE_TEXT_MAX_CHARS,
} from "../config.ts";
import { pack, unpack } from "./codec.ts";
import { FLAGS_MASK } from "./flags.ts";
import { isJa4 } from "./ja4.ts";
import { PrescanError, prescan } from "./prescan.ts";
import { GLOBAL_SIGNALS } from "./signal-names.ts";

const FRAME_VERSION = 1;
export const FRAME_ID_BYTES = 16;

/** Where observations came from; `summary.sources` counts each. */
export const SOURCES = ["observations", "edge", "logpush", "binding"] as const;
export type Source = (typeof SOURCES)[number];

/** What a sender counts and cannot show by itself; it travels with its next frame. */
export const COUNTERS = ["rejected", "expired", "lost_at_edge", "fields_dropped"] as const;
export type CounterName = (typeof COUNTERS)[number];
export type Counters = Record<CounterName, number>;

/** The identity columns, in the order of their flag bits. */
export const IDENTITIES = ["ip", "ua", "path", "host", "asn"] as const;
export type Identity = (typeof IDENTITIES)[number];

export interface FrameSample {
  fp: number;
  /** ms after `baseMs`. */
  at: number;
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

export interface FrameSignals {
  fp: number;
  seenAtMs: number;
  /** Dense, in the order of GLOBAL_SIGNALS; NaN = absent. */
  values: Float64Array;
}

export interface Frame {
  id: Uint8Array;
  source: Source;
  baseMs: number;
  fps: string[];
  rows: number;
  fp: Uint16Array;
  /** ms after `baseMs`. */
  at: Uint32Array;
  flags: Uint32Array;
  identities: Record<Identity, Uint32Array>;
  signals: FrameSignals[];
  samples: FrameSample[];
  counters: Counters;
}

/** Why a frame was refused, as a fixed code: the payload's own text never reaches a log. */
export type FrameFault = "too_large" | "not_msgpack" | "unknown_version" | "malformed";

export class FrameError extends Error {
  override readonly name = "FrameError";
  readonly fault: FrameFault;
  constructor(fault: FrameFault) {
    super(`frame refused: ${fault}`);
    this.fault = fault;
  }
}

const LIMITS = {
  depth: 3,
  items: 4 * FRAME_ROWS_MAX + 8 * FRAME_ROWS_MAX,
  textBytes: 4 * SAMPLE_TEXT_MAX_CHARS,
};

function bytesOf(column: Uint16Array | Uint32Array | Float64Array): Uint8Array {
  return new Uint8Array(column.buffer, column.byteOffset, column.byteLength);
}

/** Bytes of a frame; a copy of their own. */
export function encodeFrame(frame: Frame): Uint8Array {
  const { signals, samples } = frame;
  const values = new Float64Array(signals.length * GLOBAL_SIGNALS.length);
  signals.forEach((entry, i) => {
    values.set(entry.values, i * GLOBAL_SIGNALS.length);
  });
  return pack({
    v: FRAME_VERSION,
    id: frame.id,
    source: frame.source,
    base: frame.baseMs,
    fps: frame.fps,
    fp: bytesOf(frame.fp),
    at: bytesOf(frame.at),
    flags: bytesOf(frame.flags),
    ...Object.fromEntries(IDENTITIES.map((name) => [name, bytesOf(frame.identities[name])])),
    gfp: bytesOf(Uint16Array.from(signals, (entry) => entry.fp)),
    gat: bytesOf(Float64Array.from(signals, (entry) => entry.seenAtMs)),
    gval: bytesOf(values),
    sfp: bytesOf(Uint16Array.from(samples, (sample) => sample.fp)),
    sat: bytesOf(Uint32Array.from(samples, (sample) => sample.at)),
    sweight: bytesOf(Uint32Array.from(samples, (sample) => sample.weight)),
    sstatus: bytesOf(Uint16Array.from(samples, (sample) => sample.status)),
    sasn: bytesOf(Float64Array.from(samples, (sample) => sample.asn)),
    paths: samples.map((sample) => sample.path),
    hosts: samples.map((sample) => sample.host),
    methods: samples.map((sample) => sample.method),
    rays: samples.map((sample) => sample.ray),
    counters: COUNTERS.map((name) => frame.counters[name]),
  });
}

/** Reads a frame from bytes that may come from anywhere. Throws `FrameError`. */
export function decodeFrame(bytes: Uint8Array): Frame {
  if (bytes.length > FRAME_BYTES_MAX) throw new FrameError("too_large");
  try {
    prescan(bytes, LIMITS);
  } catch (error) {
    if (error instanceof PrescanError) throw new FrameError("not_msgpack");
    throw error;
  }
  const map = unpack(bytes);
  if (typeof map !== "object" || map === null || Array.isArray(map)) throw new FrameError("malformed");
  return new FrameReader(map as Record<string, unknown>).frame();
}

/** Takes the map apart field by field; whatever is not as written above is `malformed`. */
class FrameReader {
  readonly #map: Record<string, unknown>;
  constructor(map: Record<string, unknown>) {
    this.#map = map;
  }

  frame(): Frame {
    if (this.#map.v !== FRAME_VERSION) throw new FrameError("unknown_version");
    const id = this.#bytes("id");
    const source = SOURCES.find((name) => name === this.#map.source);
    const baseMs = this.#map.base;
    const fps = this.#texts("fps", 64);
    const fp = this.#u16("fp");
    const rows = fp.length;
    const valid =
      id.length === FRAME_ID_BYTES &&
      source !== undefined &&
      Number.isSafeInteger(baseMs) &&
      rows <= FRAME_ROWS_MAX &&
      fps.every((ja4) => ja4 === "" || isJa4(ja4)) &&
      fp.every((index) => index < fps.length);
    if (!valid) throw new FrameError("malformed");
    const flags = this.#u32("flags", rows);
    if (flags.some((word) => (word & ~FLAGS_MASK) !== 0)) throw new FrameError("malformed");
    return {
      id: new Uint8Array(id),
      source,
      baseMs: baseMs as number,
      fps,
      rows,
      fp,
      at: this.#u32("at", rows),
      flags,
      identities: {
        ip: this.#u32("ip", rows),
        ua: this.#u32("ua", rows),
        path: this.#u32("path", rows),
        host: this.#u32("host", rows),
        asn: this.#u32("asn", rows),
      },
      signals: this.#signals(fps.length),
      samples: this.#samples(fps.length),
      counters: this.#counters(),
    };
  }

  #signals(fps: number): FrameSignals[] {
    const fp = this.#u16("gfp");
    const at = this.#f64("gat", fp.length);
    const values = this.#f64("gval", fp.length * GLOBAL_SIGNALS.length);
    if (fp.length > fps || fp.some((index) => index >= fps)) throw new FrameError("malformed");
    return Array.from(fp, (index, i) => ({
      fp: index,
      seenAtMs: at[i]!,
      values: values.slice(i * GLOBAL_SIGNALS.length, (i + 1) * GLOBAL_SIGNALS.length),
    }));
  }

  #samples(fps: number): FrameSample[] {
    const fp = this.#u16("sfp");
    const count = fp.length;
    if (count > fps * FRAME_SAMPLES_MAX || fp.some((index) => index >= fps))
      throw new FrameError("malformed");
    const at = this.#u32("sat", count);
    const weight = this.#u32("sweight", count);
    const status = this.#u16("sstatus", count);
    const asn = this.#f64("sasn", count);
    const [paths, hosts, methods, rays] = [
      this.#texts("paths", SAMPLE_TEXT_MAX_CHARS, count),
      this.#texts("hosts", SAMPLE_TEXT_MAX_CHARS, count),
      this.#texts("methods", SAMPLE_TEXT_MAX_CHARS, count),
      this.#texts("rays", RAY_ID_MAX_CHARS, count),
    ];
    return Array.from(fp, (index, i) => ({
      fp: index,
      at: at[i]!,
      weight: weight[i]!,
      status: status[i]!,
      asn: asn[i]!,
      path: paths[i]!,
      host: hosts[i]!,
      method: methods[i]!,
      ray: rays[i]!,
    }));
  }

  #counters(): Counters {
    const list = this.#map.counters;
    const valid = Array.isArray(list) && list.length === COUNTERS.length;
    if (!valid || !list.every((n) => Number.isSafeInteger(n) && n >= 0)) throw new FrameError("malformed");
    return Object.fromEntries(COUNTERS.map((name, i) => [name, list[i] as number])) as Counters;
  }

  #texts(name: string, maxChars: number, count?: number): string[] {
    const list = this.#map[name];
    if (!Array.isArray(list) || (count !== undefined && list.length !== count))
      throw new FrameError("malformed");
    if (!list.every((item) => typeof item === "string" && item.length <= maxChars))
      throw new FrameError("malformed");
    return list as string[];
  }

  #bytes(name: string): Uint8Array {
    const bytes = this.#map[name];
    if (!(bytes instanceof Uint8Array)) throw new FrameError("malformed");
    return bytes;
  }

  /** A copy of the column at an aligned address: in the packed bytes it may start anywhere. */
  #column(name: string, width: number, count: number | undefined): ArrayBuffer {
    const bytes = this.#bytes(name);
    const wrong = bytes.length % width !== 0 || (count !== undefined && bytes.length !== count * width);
    if (wrong) throw new FrameError("malformed");
    return new Uint8Array(bytes).buffer;
  }

  #u16(name: string, count?: number): Uint16Array {
    return new Uint16Array(this.#column(name, 2, count));
  }
  #u32(name: string, count: number): Uint32Array {
    return new Uint32Array(this.#column(name, 4, count));
  }
  #f64(name: string, count: number): Float64Array {
    return new Float64Array(this.#column(name, 8, count));
  }
}
