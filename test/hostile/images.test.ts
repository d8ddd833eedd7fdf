/**
 * Images with seeded faults, as a disk could hand them out: torn, mixed up, flipped. Whatever the bytes are, reading ends in
 * an ImageError or in a window; and unless even the checksum was made to fit, in the very window that was written.
 */
import { describe, expect, it } from "vitest";
import { ImageError, readImage } from "../../src/base/image.ts";
import { EvidenceRing } from "../../src/detect/evidence-ring.ts";
import { Draw } from "../../src/simulate/random.ts";
import { Window } from "../../src/window/window.ts";
import { decodeFrame, encodeFrame } from "../../src/wire/frame.ts";
import { frameOf as evidenceFrame, row } from "../support/frames.ts";
import { partsOf, sealed, stored } from "../support/images.ts";
import { FEW_RUNS } from "../support/runs.ts";
import { answersOf } from "../support/window-answers.ts";
import { frameOf, ja4Of, type Observed } from "../support/window-frames.ts";

const IMAGES = FEW_RUNS ? 800 : 4_000;
const SEED = 20_261_124;
const NOON = Date.parse("2026-11-23T12:00:00Z");
/** Numbers at which a length could overflow, wrap or be allocated. */
const NUMBERS = [0, 1, 2, 16, 255, 65_536, 0x3fffffff, 0x40000000, 0x7fffffff, 0x80000000, 0xffffffff];
/** What a window takes that holds nothing: tables of fixed sizes, and the first page or block of everything. */
const EMPTY_BYTES = 1024 * 1024;

interface Shard {
  window: Window;
  evidence: EvidenceRing;
}

const imageOf = ({ window, evidence }: Shard, maxBytes?: number) =>
  partsOf((writer) => {
    window.writeImage(writer);
    evidence.writeImage(writer);
  }, maxBytes);
const shardOf = (parts: readonly Uint8Array[]): Shard =>
  readImage(stored(parts), (reader) => ({
    window: Window.readImage(reader),
    evidence: EvidenceRing.readImage(reader),
  }));

/**
 * With everything in it: rows, some in full, large sets, signals, frames ahead, evidence; the
 * overflow and its door too with fewer than 39 fingerprints.
 */
function full(requests: number, fingerprints: number): Shard {
  const window = new Window(7, { fingerprints });
  const rows = Array.from({ length: requests }, (_, i): Observed => {
    const n = i % 3 === 0 ? 0 : i % 40;
    return {
      ...{
        at: NOON - (i % 3_000) * 1_000 + (i % 50 === 0 ? 30_000 : 0),
        ja4: n === 39 ? "" : ja4Of(n),
        ip: i,
      },
      ...(i < 9 && n !== 0 ? { signal: i / 10 } : {}),
    };
  });
  window.apply(frameOf(rows), NOON);
  const evidence = new EvidenceRing();
  for (let i = 0; i < 3; i++)
    evidence.add(
      decodeFrame(encodeFrame(evidenceFrame([row({ path: `/${i}` }), row({ timestampMs: NOON })]))),
    );
  return { window, evidence };
}

type Mutation = (image: Uint32Array<ArrayBuffer>, draw: Draw) => Uint32Array<ArrayBuffer>;

const flip: Mutation = (image, draw) => {
  const at = draw.int(image.length);
  image[at] = image[at]! ^ (1 << draw.int(32));
  return image;
};
const replace: Mutation = (image, draw) => {
  // At the front as often as elsewhere: sections are short there.
  const at = draw.int(draw.chance(0.5) ? Math.min(image.length, 200) : image.length);
  image[at] = draw.chance(0.5) ? NUMBERS[draw.int(NUMBERS.length)]! : image[at]! + draw.int(5) - 2;
  return image;
};
const cut: Mutation = (image, draw) => image.slice(0, draw.int(image.length));
const lengthen: Mutation = (image, draw) => {
  const longer = new Uint32Array(image.length + 1 + draw.int(40));
  longer.set(image);
  return longer;
};
const lose: Mutation = (image, draw) => {
  const at = draw.int(image.length);
  return image.fill(0, at, at + draw.int(400));
};
const move: Mutation = (image, draw) => {
  const from = draw.int(image.length);
  return image.copyWithin(draw.int(image.length), from, from + 1 + draw.int(400));
};
const MUTATIONS: readonly Mutation[] = [flip, flip, replace, replace, replace, cut, lengthen, lose, move];

type Parts = Uint32Array<ArrayBuffer>[];

const anyPart = (change: Mutation) => (parts: Parts, draw: Draw) => {
  if (parts.length === 0) return;
  const which = draw.int(parts.length);
  parts[which] = change(parts[which]!, draw);
};
const drop = (parts: Parts, draw: Draw) => parts.splice(draw.int(parts.length + 1), 1 + draw.int(2));
const double = (parts: Parts, draw: Draw) => {
  const [part] = parts.slice(draw.int(parts.length + 1));
  if (part !== undefined) parts.splice(draw.int(parts.length + 1), 0, part.slice());
};
const swap = (parts: Parts, draw: Draw) => {
  const [part] = parts.splice(draw.int(parts.length + 1), 1);
  if (part !== undefined) parts.splice(draw.int(parts.length + 1), 0, part);
};
const PART_MUTATIONS = [...MUTATIONS.map(anyPart), drop, double, swap];

/** With links and checksums put right where `seal`. */
function mutate(image: readonly Uint8Array[], draw: Draw, seal: boolean): Uint8Array[] {
  const parts: Parts = image.map((part) => new Uint32Array(part.slice().buffer as ArrayBuffer));
  do PART_MUTATIONS[draw.int(PART_MUTATIONS.length)]!(parts, draw);
  while (parts.every(({ length }) => length > 0) && draw.chance(0.3));
  const bytes = seal ? sealed(parts) : parts.map((words) => new Uint8Array(words.buffer));
  const last = bytes.at(-1);
  if (last !== undefined && draw.chance(0.05))
    bytes[bytes.length - 1] = last.subarray(0, Math.max(0, last.length - 1 - draw.int(3)));
  return bytes;
}

describe(`${IMAGES} images with a fault, seed ${SEED}`, () => {
  const shards = [
    { window: new Window(1), evidence: new EvidenceRing() },
    ...[full(30, 20), full(300, 40), full(3_000, 40), full(300, 20)],
  ];
  // Whole, and in up to a hundred parts.
  const cuts = [undefined, 4_096, 65_536, 20_000, undefined];
  const images = shards.map((shard, i) => imageOf(shard, cuts[i]));
  const answers = shards.map(({ window }) => answersOf(window));

  it("IMG-6: is refused as an ImageError, or is the window that was written", () => {
    const outcomes: Record<string, number> = {};
    for (let i = 0; i < IMAGES; i++) {
      const which = i % images.length;
      const parts = mutate(images[which]!, new Draw(SEED, "image", i), false);
      let outcome = "same";
      try {
        const { window } = shardOf(parts);
        expect(answersOf(window), `case ${i}`).toEqual(answers[which]);
      } catch (error) {
        if (!(error instanceof ImageError)) throw error;
        outcome = error.fault;
      }
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    }
    for (const fault of ["no_image", "unknown_version", "broken", "same"])
      expect(outcomes[fault], fault).toBeGreaterThan(IMAGES / 1_000);
    expect(Object.keys(outcomes).sort()).toEqual(["broken", "no_image", "same", "unknown_version"]);
  });

  it("IMG-6: with a checksum that fits too, reading ends, and takes no more memory than the bytes", () => {
    const outcomes: Record<string, number> = {};
    for (let i = 0; i < IMAGES; i++) {
      const parts = mutate(images[i % images.length]!, new Draw(SEED, "sealed", i), true);
      const bytes = parts.reduce((sum, { length }) => sum + length, 0);
      let outcome = "read";
      try {
        const { window, evidence } = shardOf(parts);
        const taken = Object.values(window.memory()).reduce((sum, part) => sum + part, evidence.byteLength);
        if (taken > 2 * bytes + EMPTY_BYTES) expect.fail(`case ${i}: ${taken} bytes`);
      } catch (error) {
        if (!(error instanceof ImageError)) throw error;
        outcome = error.fault;
      }
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    }
    for (const fault of ["other_layout", "malformed", "read"])
      expect(outcomes[fault], fault).toBeGreaterThan(IMAGES / 100);
  });
});
