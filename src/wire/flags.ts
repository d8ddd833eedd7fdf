/**
 * The flag word of one observation, as it travels in a frame (32 bits).
 *
 *   bits 0–11   six yes/no facts, two bits each: even bit = known, odd bit = yes
 *   bits 16–21  which identity hashes are there, and whether Cloudflare's global signals came with the request
 *   bits 22–28  bot score 1–99; 0 = not computed or not known. In memory only: code of before refuses flags that it does
 *               not know, so a frame carries scores as a member of its own (marks.ts)
 *
 * A fact that is not known takes no part in its ratio's denominator; "no" and "not known" are different things.
 */

/** The six ratios of a fingerprint, in the order of their bits and of the tally's columns. */
export const RATIOS = ["h2h3", "heuristic", "browser", "bot", "cache", "error"] as const;
export type Ratio = (typeof RATIOS)[number];

export const RATIO_INDEX: Record<Ratio, number> = {
  h2h3: 0,
  heuristic: 1,
  browser: 2,
  bot: 3,
  cache: 4,
  error: 5,
};

/** Flag bits of one fact: `undefined` = not known. */
export function factBits(ratio: Ratio, fact: boolean | undefined): number {
  if (fact === undefined) return 0;
  return (fact ? 3 : 1) << (RATIO_INDEX[ratio] * 2);
}

export const HAS_IP = 1 << 16;
export const HAS_UA = 1 << 17;
export const HAS_PATH = 1 << 18;
export const HAS_HOST = 1 << 19;
export const HAS_ASN = 1 << 20;
export const HAS_SIGNALS = 1 << 21;
/** Every bit that has a meaning on the wire; a frame with another one set comes from a newer sender and is refused. */
export const FLAGS_MASK = 0xfff | HAS_IP | HAS_UA | HAS_PATH | HAS_HOST | HAS_ASN | HAS_SIGNALS;
/** The bot score of a flag word that was read from a frame. */
export const SCORE_SHIFT = 22;
export const SCORE_MASK = 0x7f << SCORE_SHIFT;
export const SCORE_MAX = 99;
/** The six "yes" bits; each is set only together with the "known" bit below it. */
export const YES_BITS = 0xaaa;
