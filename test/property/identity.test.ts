import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { describe, expect, it } from "vitest";
import { utf8Length } from "../../src/base/text.ts";
import { addressBytes } from "../../src/edge/identity.ts";

const part = fc.oneof(
  fc.nat(300).map(String),
  fc.constantFrom("", "0", "00", "01", "255", "256", "1e1", " 1", "0x1", "-1"),
);

describe("addresses", () => {
  it("IDENT-5: IPv4 by hand says the same as the library's strict form, on addresses and on what looks like them", () => {
    const texts = fc.oneof(
      fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => parts.join(".")),
      fc.ipV4(),
      fc.string({ maxLength: 20 }).filter((text) => !text.includes(":")),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const expected = ipaddr.IPv4.isValidFourPartDecimal(text)
          ? ipaddr.IPv4.parse(text).octets
          : undefined;
        const found = addressBytes(text);
        expect(found === undefined ? undefined : [...found]).toEqual(expected);
      }),
      { numRuns: 2_000 },
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
