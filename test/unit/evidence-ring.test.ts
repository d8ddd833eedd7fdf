import { describe, expect, it } from "vitest";
import { EvidenceRing } from "../../src/detect/evidence-ring.ts";
import { decodeFrame, encodeFrame, type Frame } from "../../src/wire/frame.ts";
import { BASE, bareRow, CHROME, frameOf, PSEUDO, row } from "../support/frames.ts";

const AFTER = { frames: 100, bytes: 1_000_000 };

function frame(path: string, atMs = BASE): Frame {
  return decodeFrame(encodeFrame(frameOf([row({ path, timestampMs: atMs })])));
}

const pathsOf = (ring: EvidenceRing, sinceMs = 0, ja4 = CHROME) =>
  [...ring.of(ja4, sinceMs)].map(({ path }) => path);

describe("evidence ring", () => {
  it("RING-1: gives the samples of one fingerprint since a time", () => {
    const ring = new EvidenceRing(AFTER);
    const rows = [
      row({ timestampMs: BASE + 1, path: "/old" }),
      row({ timestampMs: BASE + 2, path: "/new", rayId: "r2", asn: 0 }),
      row({ timestampMs: BASE + 2, ja4: PSEUDO, path: "/other" }),
      bareRow({ timestampMs: BASE + 3, path: "/nobody" }),
    ];
    ring.add(decodeFrame(encodeFrame(frameOf(rows))));
    ring.add(decodeFrame(encodeFrame(frameOf([bareRow({ ja4: CHROME, timestampMs: BASE + 9 })]), 1)));
    expect([...ring.of(CHROME, BASE + 1)]).toEqual([
      {
        ...{
          ja4: CHROME,
          atMs: BASE + 2,
          weight: 1,
          status: 401,
          asn: 0,
          path: "/new",
          host: "shop.example",
        },
        ...{ method: "POST", rayId: "r2" },
      },
      { ja4: CHROME, atMs: BASE + 9, weight: 1 },
    ]);
    expect(pathsOf(ring, 0, PSEUDO)).toEqual(["/other"]);
    expect([pathsOf(ring, 0, ""), pathsOf(ring, 0, "curl"), pathsOf(ring, BASE + 9)]).toEqual([[], [], []]);
  });

  it("RING-1: keeps a copy: what happens to the frame's memory afterwards does not matter", () => {
    const ring = new EvidenceRing(AFTER);
    const bytes = encodeFrame(frameOf([row({ path: "/kept" })]));
    const read = decodeFrame(bytes);
    ring.add(read);
    bytes.fill(0);
    read.keys.fill(0);
    expect(pathsOf(ring)).toEqual(["/kept"]);
  });

  it("RING-2: holds so many frames, and so many bytes; the oldest goes first", () => {
    const few = new EvidenceRing({ frames: 3, bytes: 1_000_000 });
    for (let i = 0; i < 8; i++) few.add(frame(`/${i}`));
    expect(pathsOf(few)).toEqual(["/5", "/6", "/7"]);
    const one = new EvidenceRing(AFTER);
    one.add(frame("/0"));
    const size = one.byteLength;
    expect(size).toBeGreaterThan(frame("/0").samples.length + 20);
    const small = new EvidenceRing({ frames: 100, bytes: 3 * size });
    for (let i = 0; i < 8; i++) {
      small.add(frame(`/${i}`));
      expect(small.byteLength).toBeLessThanOrEqual(3 * size);
    }
    expect(pathsOf(small)).toEqual(["/5", "/6", "/7"]);
    const tight = new EvidenceRing({ frames: 100, bytes: 3 * size - 1 });
    for (let i = 0; i < 8; i++) tight.add(frame(`/${i}`));
    expect(pathsOf(tight)).toEqual(["/6", "/7"]);
  });

  it("RING-2: frames without samples take no place", () => {
    const ring = new EvidenceRing({ frames: 1, bytes: 1_000_000 });
    ring.add(frame("/kept"));
    for (let i = 0; i < 5; i++) ring.add(frameOf([bareRow()]));
    expect(pathsOf(ring)).toEqual(["/kept"]);
  });

  it("RING-3: samples that cannot be read cost themselves only, and are counted once", () => {
    const ring = new EvidenceRing(AFTER);
    ring.add(frame("/before"));
    const size = ring.byteLength;
    ring.add({ ...frame("/bad"), samples: new Uint8Array(500).fill(0xc1) });
    ring.add(frame("/after"));
    expect(ring.unreadable).toBe(0);
    expect([...pathsOf(ring), ...pathsOf(ring)]).toEqual(["/before", "/after", "/before", "/after"]);
    expect(ring.unreadable).toBe(1);
    expect(ring.byteLength).toBeLessThan(3 * size);
  });
});
