import { describe, expect, it } from "vitest";
import { FEED_UNACKED_MAX_BYTES, FEED_UNACKED_MAX_EVENTS } from "../../src/base/feed-limits.ts";
import { FRESH_CREDIT, isExhausted, spend } from "../../src/feed/credit.ts";
import { cursorText, parseCursor } from "../../src/feed/cursor.ts";
import { type EventTraits, type FeedFilter, filterTest } from "../../src/feed/filter.ts";

const CHROME = "t13d1516h2_8daaf6152771_02713d6af862";
const event: EventTraits = {
  type: "hellotide.anomaly.raised",
  kind: "surge",
  severity: "warning",
  ja4: CHROME,
  score: 7,
};
const threshold: EventTraits = {
  ...event,
  type: "hellotide.threshold.raised",
  kind: "threshold",
  score: undefined,
};
const site: EventTraits = { ...event, type: "hellotide.site.raised", kind: "storm", ja4: undefined };

describe("filter", () => {
  it.each<[FeedFilter, boolean, boolean, boolean]>([
    [{}, true, true, true],
    [{ kinds: ["surge", "divergence"] }, true, false, false],
    [{ types: ["hellotide.threshold.raised"] }, false, true, false],
    [{ ja4: "t13d*" }, true, true, true],
    [{ ja4: "t12d*" }, false, false, true],
    [{ minScore: 7 }, true, true, true],
    [{ minScore: 7.1 }, false, true, false],
    [{ minSeverity: "warning" }, true, true, true],
    [{ minSeverity: "critical" }, false, false, false],
    [{ kinds: ["surge"], minScore: 9 }, false, false, false],
  ])("FILTER-1: %j lets anomaly, threshold, site event through: %s, %s, %s", (filter, ...expected) => {
    expect([event, threshold, site].map(filterTest(filter))).toEqual(expected);
  });
});

describe("cursor", () => {
  it("CURSOR-1: 16 digits that sort as text; any shorter spelling is read", () => {
    expect(cursorText(1234)).toBe("0000000000001234");
    expect(parseCursor(cursorText(1234))).toBe(1234);
    expect(parseCursor("0")).toBe(0);
    expect(cursorText(9) < cursorText(10)).toBe(true);
  });

  it.each(["", "-1", "1.5", "0x10", "12345678901234567", "9999999999999999", "null"])(
    "CURSOR-1: %j is none",
    (text) => {
      expect(parseCursor(text)).toBeUndefined();
    },
  );
});

describe("credit", () => {
  it("CREDIT-1: is used up by one event or one byte more than allowed", () => {
    let events = FRESH_CREDIT;
    for (let i = 0; i < FEED_UNACKED_MAX_EVENTS; i++) events = spend(events, 1);
    expect([isExhausted(events), isExhausted(spend(events, 1))]).toEqual([false, true]);
    const bytes = spend(FRESH_CREDIT, FEED_UNACKED_MAX_BYTES);
    expect([isExhausted(bytes), isExhausted(spend(bytes, 1))]).toEqual([false, true]);
  });
});
