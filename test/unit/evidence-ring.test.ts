import { describe, expect, it } from "vitest";
import { EvidenceRing } from "../../src/detect/evidence-ring.ts";
import { decodeFrame, encodeFrame, type Frame } from "../../src/wire/frame.ts";
import { BASE, bareRow, CHROME, frameOf, PSEUDO, row } from "../support/frames.ts";

const AFTER = { frames: 100, bytes: 1_000_000 };

function frame(path: string, atMs = BASE): Frame {
  return decodeFrame(encodeFrame(frameOf([row({ path, timestampMs: atMs })])));
}

const pathsOf = (ring: EvidenceRing, sinceMs = 0, ja4 = CHROME) =>
  (ring.of([ja4], sinceMs).get(ja4) ?? []).map(({ path }) => path);

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
    expect(ring.of([CHROME], BASE + 1).get(CHROME)).toEqual([
      { ja4: CHROME, atMs: BASE + 9, weight: 1 },
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
    expect(pathsOf(few)).toEqual(["/7", "/6", "/5"]);
    const one = new EvidenceRing(AFTER);
    one.add(frame("/0"));
    const size = one.byteLength;
    expect(size).toBeGreaterThan(frame("/0").samples.length + 20);
    const small = new EvidenceRing({ frames: 100, bytes: 3 * size });
    for (let i = 0; i < 8; i++) {
      small.add(frame(`/${i}`));
      expect(small.byteLength).toBeLessThanOrEqual(3 * size);
    }
    expect(pathsOf(small)).toEqual(["/7", "/6", "/5"]);
    const tight = new EvidenceRing({ frames: 100, bytes: 3 * size - 1 });
    for (let i = 0; i < 8; i++) tight.add(frame(`/${i}`));
    expect(pathsOf(tight)).toEqual(["/7", "/6"]);
  });

  it("RING-5: many fingerprints are found in one pass, and not mixed up although their keys share words", () => {
    const ring = new EvidenceRing(AFTER);
    const names = Array.from({ length: 40 }, (_, i) => {
      // Part c is the same for all, part b for halves of them: only the whole key tells them apart.
      return `t13d${String(10 + i)}16h2_8daaf61527${i % 2 === 0 ? "71" : "72"}_02713d6af862`;
    });
    for (let i = 0; i < 40; i += 8)
      ring.add(frameOf(names.slice(i, i + 8).map((ja4) => row({ ja4, path: `/${ja4}` }))));
    const found = ring.of([...names, names[0]!, "", "curl"], 0);
    expect([...found.keys()]).toEqual(names);
    for (const [ja4, samples] of found) expect(samples).toMatchObject([{ ja4, path: `/${ja4}` }]);
  });

  it("RING-4: once there are enough samples no older frame is looked at, not even one that cannot be read", () => {
    const ring = new EvidenceRing({ frames: 10, bytes: 1_000_000 });
    ring.add({ ...frame("/0"), samples: Uint8Array.of(0xc1) });
    for (let i = 1; i <= 4; i++) ring.add(frame(`/${i}`));
    expect(
      ring
        .of([CHROME], 0, 2)
        .get(CHROME)!
        .map(({ path }) => path),
    ).toEqual(["/4", "/3"]);
    expect(ring.unreadable).toBe(0);
    expect(
      ring
        .of([CHROME], 0, 5)
        .get(CHROME)!
        .map(({ path }) => path),
    ).toEqual(["/4", "/3", "/2", "/1"]);
    expect(ring.unreadable).toBe(1);
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
    expect([...pathsOf(ring), ...pathsOf(ring)]).toEqual(["/after", "/before", "/after", "/before"]);
    expect(ring.unreadable).toBe(1);
    expect(ring.byteLength).toBeLessThan(3 * size);
  });
});
