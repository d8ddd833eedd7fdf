/** Which global signals travel with a frame. */
import { describe, expect, it } from "vitest";
import { SIGNALS_RETELL_MS, SIGNALS_TOLD_MAX } from "../../src/config.ts";
import { SignalsNews } from "../../src/edge/signals-news.ts";
import { GLOBAL_SIGNALS } from "../../src/wire/signal-names.ts";

const NOW = 1_800_000_000_000;
const JA4 = "t13d1516h2_8daaf6152771_02713d6af862";

function values(first: number): Float64Array {
  return new Float64Array(GLOBAL_SIGNALS.length).fill(Number.NaN).fill(first, 0, 1);
}

describe("signals of a frame", () => {
  it("NEWS-1: are those that changed or were told long ago, of every site and fingerprint by itself", () => {
    const news = new SignalsNews();
    const buffer = values(0.5);
    expect(news.tell("shop", JA4, buffer, NOW)).toBe(true);
    expect(news.tell("shop", JA4, buffer, NOW + 1)).toBe(false);
    expect(news.tell("api", JA4, buffer, NOW + 1)).toBe(true);
    expect(news.tell("shop", "x0123456789abcdef01234567", buffer, NOW + 1)).toBe(true);
    // The caller's buffer is used again: what was told is a copy.
    buffer[0] = 0.6;
    expect(news.tell("shop", JA4, buffer, NOW + 2)).toBe(true);
    buffer[1] = 0.1;
    expect(news.tell("shop", JA4, buffer, NOW + 3)).toBe(true);
    buffer[1] = Number.NaN;
    expect(news.tell("shop", JA4, buffer, NOW + 4)).toBe(true);
    expect(news.tell("shop", JA4, buffer, NOW + 4 + SIGNALS_RETELL_MS - 1)).toBe(false);
    expect(news.tell("shop", JA4, buffer, NOW + 4 + SIGNALS_RETELL_MS)).toBe(true);
    expect(news.tell("shop", JA4, buffer, NOW + 5 + SIGNALS_RETELL_MS)).toBe(false);
  });

  it("NEWS-2: are told once more, not forgotten, when there are more fingerprints than an isolate remembers", () => {
    const news = new SignalsNews();
    const ja4Of = (n: number) => `x${n.toString(16).padStart(24, "0")}`;
    for (let n = 0; n < SIGNALS_TOLD_MAX; n++) expect(news.tell("shop", ja4Of(n), values(1), NOW)).toBe(true);
    expect(news.tell("shop", ja4Of(0), values(1), NOW)).toBe(false);
    expect(news.tell("shop", ja4Of(SIGNALS_TOLD_MAX), values(1), NOW)).toBe(true);
    expect(news.tell("shop", ja4Of(SIGNALS_TOLD_MAX), values(1), NOW)).toBe(false);
    expect(news.tell("shop", ja4Of(0), values(1), NOW)).toBe(true);
    expect(news.tell("shop", ja4Of(0), values(1), NOW)).toBe(false);
  });
});
