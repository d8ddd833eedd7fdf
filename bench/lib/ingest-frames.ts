/** Frames as an edge isolate sends them, made by the product's own builder, with the places where a driver changes them. */
import { Failure } from "../../scripts/lib/failure.ts";
import { SignalsNews } from "../../src/edge/signals-news.ts";
import { factBits, HAS_ASN, HAS_HOST, HAS_IP, HAS_PATH, HAS_SIGNALS, HAS_UA } from "../../src/wire/flags.ts";
import { decodeFrame, encodeFrame } from "../../src/wire/frame.ts";
import { FrameBuilder, NO_COUNTERS } from "../../src/wire/frame-builder.ts";
import { GLOBAL_SIGNALS } from "../../src/wire/signal-names.ts";
import type { FramesHead } from "./ingest-protocol.ts";
import type { Observation } from "./observations.ts";

/** Age of an edge's batch (FLUSH_DEFAULT_MS). */
const SPREAD_MS = 10_000;
/** Frames that one isolate sends before it tells all global signals again (SIGNALS_RETELL_MS / FLUSH_DEFAULT_MS). */
const FRAMES_AN_ISOLATE = 30;
const ID = Uint8Array.from({ length: 16 }, (_, i) => 0xa1 + i * 5);
const IDENTITY_FLAGS = HAS_IP | HAS_UA | HAS_PATH | HAS_HOST | HAS_ASN | HAS_SIGNALS;

/** Body of the driver's POST /frames: all of `list` in frames of `rows` observations. */
export function framesBody(list: readonly Observation[], ja4s: readonly string[], rows: number): Uint8Array {
  const baseMs = Date.now() - SPREAD_MS;
  const frames: Uint8Array[] = [];
  let news = new SignalsNews();
  for (let from = 0; from < list.length; from += rows) {
    if (frames.length % FRAMES_AN_ISOLATE === 0) news = new SignalsNews();
    frames.push(encode(list.slice(from, from + rows), ja4s, baseMs, news));
  }
  const littleEndian = placeOf(frames[0]!, float64(baseMs, false)) === undefined;
  const base = float64(baseMs, littleEndian);
  const head: FramesHead = {
    rows,
    frames: frames.map((bytes) => {
      const [idAt, baseAt] = [placeOf(bytes, ID), placeOf(bytes, base)];
      if (idAt === undefined || baseAt === undefined)
        throw new Failure("the frame's id or time was not found in its bytes");
      return { bytes: bytes.length, idAt, baseAt };
    }),
    littleEndian,
    spreadMs: SPREAD_MS,
  };
  proveEditable(frames[0]!, head);
  const json = new TextEncoder().encode(JSON.stringify(head));
  const length = new Uint8Array(Uint32Array.of(json.length).buffer);
  return Buffer.concat([length, json, ...frames]);
}

function encode(
  list: readonly Observation[],
  ja4s: readonly string[],
  baseMs: number,
  news: SignalsNews,
): Uint8Array {
  const builder = new FrameBuilder();
  list.forEach((one, i) => {
    const { ip, ua, path, host, asn, facts } = one;
    const signals = Float64Array.from(GLOBAL_SIGNALS, (name, signal) =>
      name.includes("_rank_") ? 1 + one.fp : (1 + one.fp) / (2 + one.fp + signal),
    );
    builder.add({
      timestampMs: baseMs + Math.floor((i * SPREAD_MS) / list.length),
      ja4: ja4s[one.fp]!,
      flags:
        factBits("h2h3", (facts & 1) !== 0) |
        factBits("browser", (facts & 2) !== 0) |
        factBits("error", (facts & 4) !== 0) |
        IDENTITY_FLAGS,
      ...{ ipHash: ip, uaHash: ua, pathHash: path, hostHash: host, asnNumber: asn },
      signals: news.tell("site", ja4s[one.fp]!, signals, baseMs) ? signals : undefined,
      path: `/products/item-${path % 1_000}`,
      host: "www.example.com",
      method: "GET",
      status: (facts & 4) !== 0 ? 404 : 200,
      asn: asn % 65_536,
      rayId: ip.toString(16).padStart(16, "0"),
    });
  });
  return encodeFrame(builder.build(ID, "edge", NO_COUNTERS));
}

function float64(value: number, littleEndian: boolean): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value, littleEndian);
  return bytes;
}

/** Where the pattern is, if it is in one place only. */
function placeOf(bytes: Uint8Array, pattern: Uint8Array): number | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const at = buffer.indexOf(pattern);
  return at >= 0 && buffer.indexOf(pattern, at + 1) < 0 ? at : undefined;
}

/** That a frame with another id and time at these places is still a frame, with that id and time. */
function proveEditable(frame: Uint8Array, { frames, littleEndian }: FramesHead): void {
  const edited = frame.slice();
  const { idAt, baseAt } = frames[0]!;
  edited.fill(7, idAt, idAt + ID.length);
  const baseMs = 1_800_000_000_123;
  edited.set(float64(baseMs, littleEndian), baseAt);
  const read = decodeFrame(edited);
  if (read.baseMs !== baseMs || read.id.some((byte) => byte !== 7))
    throw new Failure("a frame's id and time cannot be changed in place");
}
