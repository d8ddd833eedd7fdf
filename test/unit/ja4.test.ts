import { describe, expect, it } from "vitest";
import { globTest, isJa4, isPseudo, JA4_GLOB_FORM } from "../../src/wire/ja4.ts";

const CHROME = "t13d1516h2_8daaf6152771_02713d6af862";

describe("fingerprints", () => {
  it.each([
    CHROME,
    "q13d0312h3_55b375c5d22e_06cda9e17597",
    "t00d0000Zz_000000000000_000000000000",
    "dd2i190700_d83cc789557e_16bbda4055b2",
    `x${"0a".repeat(12)}`,
  ])("JA4-1: %s is one", (text) => {
    expect(isJa4(text)).toBe(true);
  });

  it.each([
    "",
    CHROME.toUpperCase(),
    ` ${CHROME}`,
    `${CHROME}\n`,
    CHROME.slice(1),
    `${CHROME}0`,
    "x".padEnd(24, "0"),
    `X${"0a".repeat(12)}`,
  ])("JA4-1: %j is none", (text) => {
    expect(isJa4(text)).toBe(false);
  });

  it("JA4-2: pseudo fingerprints are told apart", () => {
    expect([isPseudo(CHROME), isPseudo(`x${"0".repeat(24)}`)]).toEqual([false, true]);
  });
});

describe("globs", () => {
  it.each([
    ["*", CHROME, true],
    ["t13d*", CHROME, true],
    ["t12d*", CHROME, false],
    ["*_02713d6af862", CHROME, true],
    ["t13*_8daaf6152771_*", CHROME, true],
    ["t13*8daaf6152771*862", CHROME, true],
    [CHROME, CHROME, true],
    [CHROME.slice(0, 10), CHROME, false],
    ["t13d1516h2_8daaf6152771_02713d6af862*", CHROME, true],
    // Head and tail may not share characters.
    ["aab*ab", "aab", false],
    ["a*a", "a", false],
    ["**", "", true],
    ["*", "", true],
    ["a*b*c", "a-b-c", true],
    ["a*b*c", "a-c", false],
    ["a*b*c", "ab", false],
    // What is in the middle comes in turn, and none of it twice.
    ["*b*a*", "a-b", false],
    ["*b*b*", "a-b", false],
    ["*ab*ab*", "abab", true],
    ["*aa*aa*", "aaa", false],
    ["a*ba*a", "aba", false],
    ["*a*", "b", false],
  ])("GLOB-1: %s on %s is %s", (glob, text, expected) => {
    expect(globTest(glob)(text)).toBe(expected);
  });

  it("GLOB-2: a hostile glob takes no time: many stars against a long text", () => {
    const glob = `${"a*".repeat(31)}b`;
    expect(globTest(glob)("a".repeat(100_000))).toBe(false);
  });

  it("GLOB-3: only what a fingerprint can hold, and not too long", () => {
    expect(["t13d*", "*", "T"].every((text) => JA4_GLOB_FORM.test(text))).toBe(true);
    expect(["", "t13d?", "[a]*", "a b", "*".repeat(65)].some((text) => JA4_GLOB_FORM.test(text))).toBe(false);
  });
});
