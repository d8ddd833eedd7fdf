import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isJa4 } from "../../src/wire/ja4.ts";
import { isKey, KEY_WORDS, packKey, textOrder, unpackKey } from "../../src/wire/key.ts";
import { runs } from "../support/runs.ts";

const hex = (digits: number) =>
  fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: digits, maxLength: digits });
const alpn = fc.constantFrom(..."0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
const two = fc.integer({ min: 0, max: 99 }).map((n) => String(n).padStart(2, "0"));
const version = fc.oneof(
  two,
  fc.tuple(fc.constantFrom("s", "d"), fc.integer({ min: 0, max: 9 })).map((parts) => parts.join("")),
);
const ja4 = fc
  .tuple(
    fc.constantFrom("t", "q", "d"),
    version,
    fc.constantFrom("d", "i"),
    two,
    two,
    fc.tuple(alpn, alpn).map((pair) => pair.join("")),
    hex(12),
    hex(12),
  )
  .map(([p, v, sni, c, e, a, b, last]) => `${p}${v}${sni}${c}${e}${a}_${b}_${last}`);
const pseudo = hex(24).map((digits) => `x${digits}`);

describe("key", () => {
  it("PACK-1: every fingerprint packs into five words and back, and differs from every other", () => {
    fc.assert(
      fc.property(fc.oneof(ja4, pseudo), fc.oneof(ja4, pseudo), (one, other) => {
        const words = new Uint32Array(2 * KEY_WORDS + 1);
        expect(isJa4(one)).toBe(true);
        expect(packKey(one, words, 0)).toBe(true);
        expect(packKey(other, words, KEY_WORDS)).toBe(true);
        expect(isKey(words, 0)).toBe(true);
        expect(unpackKey(words, 0)).toBe(one);
        expect(unpackKey(words, KEY_WORDS)).toBe(other);
        const same = words.slice(0, KEY_WORDS).join() === words.slice(KEY_WORDS, 2 * KEY_WORDS).join();
        expect(same).toBe(one === other);
        expect(words[2 * KEY_WORDS]).toBe(0);
      }),
      { numRuns: runs(2_000) },
    );
  });

  it("PACK-1: no fingerprint is zeros, what is none packs into nothing", () => {
    const words = new Uint32Array(KEY_WORDS).fill(7);
    expect(packKey("t13d1516h2", words, 0)).toBe(false);
    expect([...words]).toEqual([7, 7, 7, 7, 7]);
    expect(packKey("", words, 0)).toBe(true);
    expect([...words]).toEqual([0, 0, 0, 0, 0]);
    expect(isKey(words, 0)).toBe(true);
    expect(unpackKey(words, 0)).toBe("");
    expect(packKey("t00d000000_000000000000_000000000000", words, 0)).toBe(true);
    expect(words[4]).toBe(1);
  });

  it("PRF-8: keys are in the order of their texts", () => {
    const order = (text: string) => {
      const words = new Uint32Array(KEY_WORDS);
      packKey(text, words, 0);
      return [textOrder(words[0]!, words[4]! >>> 1), ...words.slice(1, 4)];
    };
    const byKey = (a: string, b: string) => {
      const [one, other] = [order(a), order(b)];
      const at = one.findIndex((part, i) => part !== other[i]);
      return at < 0 ? 0 : one[at]! - other[at]!;
    };
    const text = fc.oneof(ja4, pseudo);
    // Two that differ in one place only, which two at random hardly do.
    const near = fc
      .tuple(text, text, fc.nat(35))
      .map(([a, b, i]) => [a, a.slice(0, i) + (b[i] ?? "") + a.slice(i + 1)] as const)
      .filter(([, b]) => isJa4(b));
    fc.assert(
      fc.property(fc.oneof(near, fc.tuple(text, text)), ([a, b]) => {
        expect(Math.sign(byKey(a, b))).toBe(a < b ? -1 : a > b ? 1 : 0);
      }),
      { numRuns: runs(5_000) },
    );
  });

  it("PACK-2: words that no fingerprint packs into are no key", () => {
    fc.assert(
      fc.property(
        fc.tuple(...Array.from({ length: KEY_WORDS }, () => fc.integer({ min: 0, max: 0xffffffff }))),
        fc.integer({ min: 0, max: 40 }),
        (random, last) => {
          const words = Uint32Array.from([...random.slice(0, 4), last]);
          if (!isKey(words, 0)) return;
          const again = new Uint32Array(KEY_WORDS);
          expect(packKey(unpackKey(words, 0), again, 0)).toBe(true);
          expect([...again]).toEqual([...words]);
        },
      ),
      { numRuns: runs(5_000) },
    );
  });
});
