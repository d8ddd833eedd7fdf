/**
 * Version 1 of the frame: what shards and edges of earlier code understand, and what the log of such a shard holds. One
 * msgpack map with a `bin` a column, fingerprints as texts, samples column by column:
 *
 *   v, id, source, base, counters
 *   fps                                        fingerprints; "" = rows without a JA4
 *   fp u16 · at u32 · flags u32 · ip ua path host asn u32    one entry a row
 *   gfp u16 · gat f64 · gval f64×10            newest global signals, once a fingerprint
 *   sfp u16 · sat u32 · sweight u32 · sstatus u16 · sasn f64 · paths, hosts, methods, rays    samples
 */
import {
  FRAME_SAMPLES_BYTES_MAX,
  FRAME_SAMPLES_MAX,
  RAY_ID_MAX_CHARS,
  SAMPLE_TEXT_MAX_CHARS,
} from "../config.ts";
import { pack } from "./codec.ts";
import type { Fields } from "./fields.ts";
import { COUNTERS, type Frame, FrameError, IDENTITIES } from "./frame-form.ts";
import { KEY_WORDS, packKey, unpackKey } from "./key.ts";
import { wireFlags } from "./marks.ts";
import { decodeSamples, type FrameSample, SampleWriter } from "./samples.ts";
import { GLOBAL_SIGNALS } from "./signal-names.ts";

const JA4_MAX_CHARS = 64;

/** The frame of an unpacked map, its contents unchecked beyond lengths and types (`checkFrame`). */
export function readFrameV1(fields: Fields): Frame {
  const texts = fields.texts("fps", JA4_MAX_CHARS);
  const fps = texts.length;
  const keys = new Uint32Array(fps * KEY_WORDS);
  for (let i = 0; i < fps; i++)
    if (!packKey(texts[i]!, keys, i * KEY_WORDS)) throw new FrameError("malformed");
  const fp = new Uint16Array(fields.copy("fp", 2));
  const rows = fp.length;
  const u32 = (name: string) => new Uint32Array(fields.copy(name, 4, rows * 4));
  const signalled = new Uint16Array(fields.copy("gfp", 2));
  return {
    id: new Uint8Array(fields.bytes("id")),
    source: fields.source("source"),
    baseMs: fields.count("base"),
    fps,
    keys,
    rows,
    fp,
    at: u32("at"),
    flags: u32("flags"),
    identities: { ip: u32("ip"), ua: u32("ua"), path: u32("path"), host: u32("host"), asn: u32("asn") },
    signals: {
      fp: signalled,
      seenAtMs: new Float64Array(fields.copy("gat", 8, signalled.length * 8)),
      values: new Float64Array(fields.copy("gval", 8, signalled.length * 8 * GLOBAL_SIGNALS.length)),
    },
    samples: readSamples(fields, fps),
    counters: fields.counters("counters"),
  };
}

/** Packed again, as the newer frame carries them. */
function readSamples(fields: Fields, fps: number): Uint8Array {
  const fp = new Uint16Array(fields.copy("sfp", 2));
  const count = fp.length;
  if (count > fps * FRAME_SAMPLES_MAX) throw new FrameError("malformed");
  const at = new Uint32Array(fields.copy("sat", 4, count * 4));
  const weight = new Uint32Array(fields.copy("sweight", 4, count * 4));
  const status = new Uint16Array(fields.copy("sstatus", 2, count * 2));
  const asn = new Float64Array(fields.copy("sasn", 8, count * 8));
  const paths = fields.texts("paths", SAMPLE_TEXT_MAX_CHARS, count);
  const hosts = fields.texts("hosts", SAMPLE_TEXT_MAX_CHARS, count);
  const methods = fields.texts("methods", SAMPLE_TEXT_MAX_CHARS, count);
  const rays = fields.texts("rays", RAY_ID_MAX_CHARS, count);
  const writer = new SampleWriter(count);
  for (let i = 0; i < count; i++) {
    if (fp[i]! >= fps) throw new FrameError("malformed");
    writer.add({
      fp: fp[i]!,
      at: at[i]!,
      weight: weight[i]!,
      status: status[i]!,
      asn: asn[i]!,
      path: paths[i]!,
      host: hosts[i]!,
      method: methods[i]!,
      ray: rays[i]!,
    });
  }
  const packed = writer.bytes();
  if (packed.length > FRAME_SAMPLES_BYTES_MAX) throw new FrameError("malformed");
  return packed;
}

/** Bytes of a frame in this version; scores, detection ids and samples that cannot be unpacked are left out. */
export function writeFrameV1(frame: Frame): Uint8Array {
  const { signals, fps, keys } = frame;
  const samples = samplesOf(frame);
  return pack({
    v: 1,
    id: frame.id,
    source: frame.source,
    base: frame.baseMs,
    fps: Array.from({ length: fps }, (_, i) => unpackKey(keys, i * KEY_WORDS)),
    fp: bytesOf(frame.fp),
    at: bytesOf(frame.at),
    flags: bytesOf(wireFlags(frame.flags)),
    ...Object.fromEntries(IDENTITIES.map((name) => [name, bytesOf(frame.identities[name])])),
    gfp: bytesOf(signals.fp),
    gat: bytesOf(signals.seenAtMs),
    gval: bytesOf(signals.values),
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

/** Evidence is worth less than the counts that it travels with. */
function samplesOf({ samples, fps }: Frame): FrameSample[] {
  try {
    return decodeSamples(samples, fps);
  } catch (error) {
    if (error instanceof FrameError) return [];
    throw error;
  }
}

function bytesOf(column: Uint16Array | Uint32Array | Float64Array): Uint8Array {
  return new Uint8Array(column.buffer, column.byteOffset, column.byteLength);
}
