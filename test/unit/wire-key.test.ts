/** The bits of flag words and keys, each at its edges. */
import { describe, expect, it } from "vitest";
import {
  FLAGS_MASK,
  factBits,
  HAS_ASN,
  HAS_HOST,
  HAS_IP,
  HAS_PATH,
  HAS_SIGNALS,
  HAS_UA,
  RATIOS,
  YES_BITS,
} from "../../src/wire/flags.ts";
import { isKey, KEY_WORDS, packKey, unpackKey } from "../../src/wire/key.ts";

const CHROME = "t13d1516h2_8daaf6152771_02713d6af862";

/** Word 0 of a key, from its parts. */
const first = (
  protocol: number,
  sni: number,
  version: number,
  ciphers: number,
  extensions: number,
  alpn: number,
) => ((protocol << 30) | (sni << 29) | (version << 22) | (ciphers << 15) | (extensions << 8) | alpn) >>> 0;
const key = (word: number, last = 1, rest: readonly number[] = [0, 0, 0]) =>
  Uint32Array.of(word, ...rest, last);

describe("flags", () => {
  it("FLAG-1: a fact takes its two bits: known and yes; what is not known takes none", () => {
    RATIOS.forEach((ratio, i) => {
      expect(factBits(ratio, true)).toBe(0b11 << (2 * i));
      expect(factBits(ratio, false)).toBe(0b01 << (2 * i));
      expect(factBits(ratio, undefined)).toBe(0);
    });
    expect(RATIOS).toEqual(["h2h3", "heuristic", "browser", "bot", "cache", "error"]);
  });

  it("FLAG-1: every bit with a meaning is in the mask, once", () => {
    expect([HAS_IP, HAS_UA, HAS_PATH, HAS_HOST, HAS_ASN, HAS_SIGNALS]).toEqual(
      [16, 17, 18, 19, 20, 21].map((bit) => 2 ** bit),
    );
    expect(FLAGS_MASK).toBe(0x3f0fff);
    expect(YES_BITS).toBe(
      RATIOS.reduce((bits, ratio) => bits | (factBits(ratio, true) & ~factBits(ratio, false)), 0),
    );
  });
});

describe("keys", () => {
  it("PACK-1: a fingerprint's words are its parts, at any place", () => {
    const words = new Uint32Array(3 * KEY_WORDS).fill(9);
    expect(packKey(CHROME, words, KEY_WORDS)).toBe(true);
    // ALPN "h2": 17 · 62 + 2 = 1,056 = 66 · 16.
    expect([...words.subarray(KEY_WORDS, 2 * KEY_WORDS)]).toEqual([
      first(0, 0, 13, 15, 16, 66),
      0x8daaf615,
      0x27710271,
      0x3d6af862,
      1,
    ]);
    expect(unpackKey(words, KEY_WORDS)).toBe(CHROME);
    expect(packKey("x0123456789abcdef01234567", words, KEY_WORDS)).toBe(true);
    expect([...words]).toEqual([
      ...[9, 9, 9, 9, 9],
      ...[0xc0000000, 0x01234567, 0x89abcdef, 0x01234567, 1],
      ...[9, 9, 9, 9, 9],
    ]);
    expect(packKey("", words, KEY_WORDS)).toBe(true);
    expect([...words].filter((word) => word === 0)).toHaveLength(KEY_WORDS);
  });

  it.each([
    ["t99d999999_ffffffffffff_ffffffffffff", 99],
    ["ts0i000000_000000000000_000000000000", 100],
    ["qs9i0110Zz_000000000000_000000000000", 109],
    [`${"dd0d090aZZ".replace("0a", "01")}_000000000000_000000000000`, 110],
    ["td9d1009zz_000000000000_000000000000", 119],
  ])("PACK-1: %s has version %i and comes back", (ja4, version) => {
    const words = new Uint32Array(KEY_WORDS);
    expect(packKey(ja4, words, 0)).toBe(true);
    expect((words[0]! >>> 22) & 127).toBe(version);
    expect(isKey(words, 0)).toBe(true);
    expect(unpackKey(words, 0)).toBe(ja4);
  });

  it("PACK-2: each part of a key has an end, past which there is none", () => {
    const last = Math.floor((62 * 62 - 1) / 16);
    const lowest = (((62 * 62 - 1) % 16) << 1) | 1;
    for (const words of [
      key(first(0, 0, 119, 0, 0, 0)),
      key(first(2, 1, 0, 99, 0, 0)),
      key(first(1, 0, 0, 0, 99, 0)),
      key(first(0, 0, 0, 0, 0, 0), 31),
      key(first(0, 0, 0, 0, 0, last), lowest),
      key(first(3, 0, 0, 0, 0, 0), 1, [1, 2, 3]),
      new Uint32Array(KEY_WORDS),
    ])
      expect([...words, isKey(words, 0)]).toEqual([...words, true]);
    for (const words of [
      key(first(0, 0, 120, 0, 0, 0)),
      key(first(2, 1, 0, 100, 0, 0)),
      key(first(1, 0, 0, 0, 100, 0)),
      key(first(0, 0, 0, 0, 0, 0), 33),
      key(first(0, 0, 0, 0, 0, 0), 2),
      key(first(0, 0, 0, 0, 0, last), lowest + 2),
      // A pseudo fingerprint has nothing but its 96 bits.
      key(first(3, 0, 0, 0, 0, 0), 3),
      key(first(3, 0, 0, 0, 0, 1)),
      key(first(3, 1, 0, 0, 0, 0)),
      // No fingerprint is zeros altogether.
      key(1, 0),
      key(0, 0, [1, 0, 0]),
      key(0, 0, [0, 1, 0]),
      key(0, 0, [0, 0, 1]),
    ])
      expect([...words, isKey(words, 0)]).toEqual([...words, false]);
  });
});
