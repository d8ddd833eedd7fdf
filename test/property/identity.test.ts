import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { describe, expect, it } from "vitest";
import { KeyedHash } from "../../src/base/hash.ts";
import { utf8Length } from "../../src/base/text.ts";
import { AddressParser } from "../../src/edge/identity.ts";
import { TextCache } from "../../src/edge/text-cache.ts";

const part = fc.oneof(
  fc.nat(300).map(String),
  fc.constantFrom("", "0", "00", "01", "255", "256", "1e1", " 1", "0x1", "-1"),
);
const ipv4Like = fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => parts.join("."));
const group = fc.oneof(
  fc.nat(0xffff).map((value) => value.toString(16)),
  fc.constantFrom("", "", "0", "0000", "FFFF", "ffff", "00000", "12345", "g", "%eth0", " ", "1.2.3.4"),
);
const ipv6Like = fc
  .tuple(fc.array(group, { minLength: 1, maxLength: 10 }), fc.oneof(fc.constant(""), ipv4Like, fc.ipV4()))
  .map(([groups, end]) => groups.join(":") + (end === "" ? "" : `:${end}`));

const parser = new AddressParser();

/** What our parser makes of a text. */
function ours(text: string): number[] | undefined {
  return parser.parse(text) ? [...parser.bytes.subarray(0, parser.length)] : undefined;
}

/** The same by the library, in its strict form. */
function library(text: string): number[] | undefined {
  if (!text.includes(":")) {
    return ipaddr.IPv4.isValidFourPartDecimal(text) ? ipaddr.IPv4.parse(text).octets : undefined;
  }
  if (text.includes("%") || !ipaddr.IPv6.isValid(text)) return undefined;
  const address = ipaddr.IPv6.parse(text);
  return address.isIPv4MappedAddress() ? address.toIPv4Address().octets : address.toByteArray().slice(0, 8);
}

/**
 * Where the library is laxer than RFC 4291: octets that are no plain decimals, and the deprecated `::1.2.3.4` (§2.5.5.1),
 * which it takes for an IPv4-mapped address.
 */
function isLax(text: string): boolean {
  const end = text.slice(text.lastIndexOf(":") + 1);
  return end.includes(".") && (!ipaddr.IPv4.isValidFourPartDecimal(end) || /^::[\d.]+$/.test(text));
}

describe("addresses", () => {
  it("IDENT-5: IPv4 by hand says the same as the library's strict form, on addresses and on what looks like them", () => {
    const texts = fc.oneof(
      ipv4Like,
      fc.ipV4(),
      fc.string({ maxLength: 20 }).filter((text) => !text.includes(":")),
    );
    fc.assert(
      fc.property(texts, (text) => {
        expect(ours(text)).toEqual(library(text));
      }),
      { numRuns: 2_000 },
    );
  });

  it("IDENT-6: IPv6 by hand says the same as the library, on addresses and on what looks like them", () => {
    let valid = 0;
    const texts = fc.oneof(
      fc.ipV6(),
      ipv6Like,
      fc.ipV4().map((text) => `::ffff:${text}`),
      fc.string({ maxLength: 50, unit: fc.constantFrom(..."0123456789abcdefABCDEF::::....%") }),
    );
    fc.assert(
      fc.property(
        texts.filter((text) => !isLax(text)),
        (text) => {
          const found = ours(text);
          if (found !== undefined) valid++;
          expect(found, text).toEqual(library(text));
        },
      ),
      { numRuns: 5_000 },
    );
    // The control: many of them are addresses.
    expect(valid).toBeGreaterThan(1_000);
  });

  it("IDENT-6: a parser that was used before says the same as a new one", () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV6(), ipv6Like), fc.oneof(fc.ipV6(), fc.ipV4()), (before, text) => {
        ours(before);
        const used = ours(text);
        const fresh = new AddressParser();
        expect(fresh.parse(text) ? [...fresh.bytes.subarray(0, fresh.length)] : undefined).toEqual(used);
      }),
    );
  });

  it("TEXT-1: the length of a text in UTF-8 equals the encoder's", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(utf8Length(text)).toBe(new TextEncoder().encode(text).length);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("texts", () => {
  it("HASH-4: a range of a text hashes as the text cut out", () => {
    const hash = new KeyedHash(new Uint8Array(8).fill(9));
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme", maxLength: 60 }),
        fc.nat(60),
        fc.nat(60),
        (text, one, other) => {
          const from = Math.min(one, other, text.length);
          const to = Math.min(Math.max(one, other), text.length);
          const bytes = new TextEncoder().encode(text.slice(from, to));
          expect(hash.range(text, from, to)).toBe(hash.bytes(bytes, bytes.length));
          expect(hash.text(text.slice(from, to))).toBe(hash.bytes(bytes, bytes.length));
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it("CACHE-1: a text cache answers what was set last for a text, or nothing", () => {
    const text = fc.string({ minLength: 1, maxLength: 12, unit: fc.constantFrom("a", "b", "ü") });
    fc.assert(
      fc.property(fc.array(fc.tuple(text, fc.nat()), { maxLength: 200 }), (entries) => {
        const cache = new TextCache<number>({ slots: 8, maxChars: 10, tail: 4, spread: 2 });
        const all = new Map<string, number>();
        for (const [key, value] of entries) {
          cache.set(key, value);
          all.set(key, value);
          expect(cache.get(key)).toBe(key.length > 10 ? undefined : value);
        }
        let kept = 0;
        for (const [key, value] of all) {
          const found = cache.get(key);
          if (found !== undefined) kept++;
          expect(found === undefined || found === value).toBe(true);
        }
        expect(kept).toBeLessThanOrEqual(8);
      }),
    );
  });
});
