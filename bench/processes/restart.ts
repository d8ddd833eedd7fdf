/**
 * A start of a shard in a fresh process, where no code is hot yet. `make` counts an hour of traffic and leaves its frames and
 * the image of the window; `image` and `replay` read one of the two and time how long it takes until the window is there.
 * Prints a RestartResult.
 */
import { appendFileSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { hashWords } from "../../src/base/hash.ts";
import { type PartSink, readImage, writeImage } from "../../src/base/image.ts";
import { HOUR_MS, LOG_ROW_MAX_BYTES, SLOT_MS } from "../../src/config.ts";
import { Window } from "../../src/window/window.ts";
import { decodeFrame, encodeFrame, type Frame, IDENTITIES } from "../../src/wire/frame.ts";
import { KEY_WORDS } from "../../src/wire/key.ts";
import { elapsed } from "../lib/elapsed.ts";
import { FrameFeed, flagsOf, hashOf } from "../lib/made-traffic.ts";
import { generator } from "../lib/random.ts";

export interface RestartInput {
  readonly variant: "make" | "image" | "replay";
  /** Where the files are. */
  readonly dir: string;
  readonly fingerprints: number;
  /** Of these so many come again and again, by Zipf's law with this exponent; the others `few` times. */
  readonly busy: number;
  readonly exponent: number;
  readonly few: number;
  readonly observations: number;
  readonly frameRows: number;
}

/** Milliseconds and bytes; `same` = 1: the window is the one that the image was written of, to the last bit. */
export type RestartResult = Readonly<Record<string, number>>;

/** A multiple of the minute. */
const START_MS = 1_763_899_200_000;
const SEED = 20_261_126;

const input = JSON.parse(process.argv[2] ?? "") as RestartInput;
const FRAMES = join(input.dir, "frames");
const IMAGE = join(input.dir, "image");

/** Requests of the hour by rank: as many as asked for in all, but for what rounding leaves over. */
function requests(): Uint32Array {
  const { busy, exponent, few, fingerprints, observations } = input;
  let weights = 0;
  for (let rank = 1; rank <= busy; rank++) weights += rank ** -exponent;
  const each = (observations - (fingerprints - busy) * few) / weights;
  return Uint32Array.from({ length: fingerprints }, (_, rank) =>
    rank < busy ? Math.max(few, Math.floor(each * (rank + 1) ** -exponent)) : few,
  );
}

/** The hour, slot by slot, each fingerprint's requests evenly over it; `take` gets every frame. */
function traffic(take: (frame: Frame, nowMs: number) => number): void {
  const random = generator(SEED);
  const reqs = requests();
  const feed = new FrameFeed({ apply: take }, reqs.length, input.frameRows);
  const values = new Uint32Array(IDENTITIES.length);
  const phase = Float64Array.from(reqs, random);
  const slots = HOUR_MS / SLOT_MS;
  for (let slot = 0; slot < slots; slot++) {
    const ms = START_MS + slot * SLOT_MS + 1;
    for (let fp = 0; fp < reqs.length; fp++) {
      const each = reqs[fp]! / slots;
      const upTo = Math.floor((slot + 1) * each + phase[fp]!);
      for (let n = Math.floor(slot * each + phase[fp]!); n < upTo; n++) {
        // Addresses grow nearly with the requests, agents hardly.
        [0.8, 0.25, 0.5, 0.1, 0.4].forEach((power, i) => {
          values[i] = hashOf(fp, i, Math.floor(random() * Math.ceil(reqs[fp]! ** power)));
        });
        feed.observe(fp, ms, flagsOf(fp, n), values);
      }
    }
  }
  feed.flush();
}

/** The frame as it travels: the feed's own one is filled again and again, and longer than its rows. */
function encoded({ rows, fps, keys, fp, at, flags, identities, ...rest }: Frame): Uint8Array {
  const { ip, ua, path, host, asn } = identities;
  const cut = (column: Uint32Array) => column.subarray(0, rows);
  return encodeFrame({
    ...{ ...rest, rows, fps, at: cut(at), flags: cut(flags), fp: fp.subarray(0, rows) },
    keys: keys.subarray(0, fps * KEY_WORDS),
    identities: { ip: cut(ip), ua: cut(ua), path: cut(path), host: cut(host), asn: cut(asn) },
  });
}

/** Writes the image; what is done with a part is not the image's. */
function write(window: Window, sink: PartSink): void {
  writeImage((writer) => window.writeImage(writer), sink);
}

/** Parts as a disk holds them, each in memory of its own; in a file they follow each other. */
function partsOf(file: string): Uint8Array[] {
  const bytes = readFileSync(file);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += LOG_ROW_MAX_BYTES)
    parts.push(Uint8Array.from(bytes.subarray(at, at + LOG_ROW_MAX_BYTES)));
  return parts;
}

function make(): RestartResult {
  mkdirSync(input.dir, { recursive: true });
  const window = new Window(SEED);
  const frames: { nowMs: number; bytes: Uint8Array }[] = [];
  traffic((frame, nowMs) => {
    const bytes = encoded(frame);
    frames.push({ nowMs, bytes });
    return window.apply(decodeFrame(bytes), nowMs);
  });
  write(window, (part) => appendFileSync(IMAGE, part));
  writeImage(
    (writer) => {
      writer.u32(frames.length);
      for (const { nowMs, bytes } of frames) {
        writer.int(nowMs);
        writer.bytes(bytes);
      }
    },
    (part) => appendFileSync(FRAMES, part),
  );
  return {};
}

function fromImage(): RestartResult {
  const parts = partsOf(IMAGE);
  const start = elapsed(() => readImage(parts, (reader) => Window.readImage(reader)));
  const nowhere = () => undefined;
  const written = elapsed(() => write(start.value, nowhere));
  const again = elapsed(() => write(start.value, nowhere));
  const words = parts.map((part) => new Uint32Array(part.buffer));
  const checksum = elapsed(() => words.map((part) => hashWords(part, part.length - 1)));
  return {
    start_ms: start.ms,
    checksum_ms: checksum.ms,
    ...{ write_ms: written.ms, write_again_ms: again.ms },
    ...outcome(start.value, lengthOf(parts)),
  };
}

function fromFrames(): RestartResult {
  const frames = readImage(partsOf(FRAMES), (reader) =>
    Array.from({ length: reader.u32() }, () => ({ nowMs: reader.int(), bytes: reader.bytes().slice() })),
  );
  const start = elapsed(() => {
    const window = new Window(SEED);
    for (const { nowMs, bytes } of frames) window.apply(decodeFrame(bytes), nowMs);
    return window;
  });
  return {
    start_ms: start.ms,
    ...outcome(start.value, lengthOf(frames.map(({ bytes }) => bytes))),
  };
}

const lengthOf = (parts: readonly Uint8Array[]) => parts.reduce((sum, { length }) => sum + length, 0);

function isSame(window: Window): boolean {
  const parts = partsOf(IMAGE);
  let same = true;
  let at = 0;
  write(window, (part) => {
    same &&= at < parts.length && Buffer.compare(part, parts[at++]!) === 0;
  });
  return same && at === parts.length;
}

function outcome(window: Window, bytes: number): RestartResult {
  const { tracked, evicted } = window.pressure();
  return {
    ...{ bytes, tracked, evicted, live: window.fingerprints.size },
    memory: Object.values(window.memory()).reduce((sum, part) => sum + part, 0),
    same: isSame(window) ? 1 : 0,
  };
}

const RUN = { make, image: fromImage, replay: fromFrames };
process.stdout.write(JSON.stringify(RUN[input.variant]()));
