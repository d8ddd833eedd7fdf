import { describe, expect, it } from "vitest";
import { KeyedHash, shardOf } from "../../src/base/hash.ts";

/** HalfSipHash-1-3 by the letter of the paper's reference code: 64-bit-free, slow, independent of ours. */
function reference(key: Uint8Array, input: Uint8Array): number {
  const word = (bytes: Uint8Array, at: number) =>
    new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
  const rotate = (x: number, by: number) => ((x << by) | (x >>> (32 - by))) >>> 0;
  const state = [
    word(key, 0),
    word(key, 4),
    (0x6c796765 ^ word(key, 0)) >>> 0,
    (0x74656462 ^ word(key, 4)) >>> 0,
  ];
  const round = () => {
    let [v0, v1, v2, v3] = state as [number, number, number, number];
    v0 = (v0 + v1) >>> 0;
    v1 = (rotate(v1, 5) ^ v0) >>> 0;
    v0 = rotate(v0, 16);
    v2 = (v2 + v3) >>> 0;
    v3 = (rotate(v3, 8) ^ v2) >>> 0;
    v0 = (v0 + v3) >>> 0;
    v3 = (rotate(v3, 7) ^ v0) >>> 0;
    v2 = (v2 + v1) >>> 0;
    v1 = (rotate(v1, 13) ^ v2) >>> 0;
    v2 = rotate(v2, 16);
    state.splice(0, 4, v0, v1, v2, v3);
  };
  const padded = new Uint8Array((input.length & ~3) + 4);
  padded.set(input);
  padded[padded.length - 1] = input.length;
  for (let at = 0; at < padded.length; at += 4) {
    const m = word(padded, at);
    state[3] = (state[3]! ^ m) >>> 0;
    round();
    state[0] = (state[0]! ^ m) >>> 0;
  }
  state[2] = (state[2]! ^ 0xff) >>> 0;
  for (let i = 0; i < 3; i++) round();
  return (state[1]! ^ state[3]!) >>> 0;
}

describe("identity hashes", () => {
  const key = Uint8Array.from({ length: 8 }, (_, i) => i);
  const hash = new KeyedHash(key);

  it("HASH-1: equals the reference construction for every length from 0 to 64 bytes", () => {
    for (let length = 0; length <= 64; length++) {
      const input = Uint8Array.from({ length }, (_, i) => (i * 7 + length) & 255);
      expect(hash.bytes(input, length), `length ${length}`).toBe(reference(key, input));
    }
  });

  it("HASH-1: golden values, so that a changed hash is noticed on disks that hold the old one", () => {
    expect([
      hash.text(""),
      hash.text("a"),
      hash.text("192.0.2.1"),
      hash.text("/login"),
    ]).toMatchInlineSnapshot(`
      [
        1477757078,
        4217696294,
        2059781350,
        2101177835,
      ]
    `);
  });

  it("HASH-2: another key gives another hash, text hashes as its UTF-8 bytes", () => {
    const other = new KeyedHash(Uint8Array.from({ length: 8 }, (_, i) => i + 1));
    expect(other.text("/login")).not.toBe(hash.text("/login"));
    const bytes = new TextEncoder().encode("grüße/🌊");
    expect(hash.text("grüße/🌊")).toBe(hash.bytes(bytes, bytes.length));
  });

  it("HASH-3: 200,000 different paths collide as often as 32 random bits would", () => {
    const seen = new Set<number>();
    const n = 200_000;
    for (let i = 0; i < n; i++) seen.add(hash.text(`/products/${i}`));
    // n²/2³³ = 4.7 expected; 20 has a probability under 1e-6.
    expect(n - seen.size).toBeLessThan(20);
  });
});

describe("shards", () => {
  const keys = Array.from(
    { length: 20_000 },
    (_, i) => `t13d1516h2_${i.toString(16).padStart(12, "0")}_02713d6af862`,
  );

  it("SHARD-1: spread keys evenly", () => {
    const counts = new Array<number>(7).fill(0);
    for (const key of keys) counts[shardOf(key, 7, 1)]!++;
    const mean = keys.length / 7;
    for (const count of counts) expect(Math.abs(count - mean)).toBeLessThan(5 * Math.sqrt(mean));
  });

  it("SHARD-2: one more shard only takes keys, none moves between old ones", () => {
    let moved = 0;
    for (const key of keys) {
      const [before, after] = [shardOf(key, 4, 1), shardOf(key, 5, 1)];
      if (before !== after) {
        moved++;
        expect(after).toBe(4);
      }
    }
    expect(moved).toBeGreaterThan(keys.length * 0.18);
    expect(moved).toBeLessThan(keys.length * 0.22);
  });
});
