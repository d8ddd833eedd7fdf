/** Every word and every limit of a record's fields. */
import { describe, expect, it } from "vitest";
import { type Observation, parseObservation } from "../../src/wire/observation.ts";

const NOW = Date.parse("2026-11-23T12:00:00Z");

function detailOf(over: Record<string, unknown>): string {
  const result = parseObservation({ timestamp: NOW, ...over }, NOW);
  if (!("expired" in result)) return "none";
  return result.expired ? "expired" : result.detail;
}
function parse(over: Record<string, unknown>): Observation {
  const result = parseObservation({ timestamp: NOW, ...over }, NOW);
  if ("expired" in result) throw new Error("refused");
  return result;
}

describe("a record's words", () => {
  it.each([
    ["hit miss expired updating stale revalidated stream_hit deferred", true],
    ["dynamic bypass ignored", false],
    ["none unknown error", undefined],
  ])("OBS-1: cache statuses %s: cacheable %j", (words, cache) => {
    for (const word of words.split(" "))
      for (const cache_status of [word, word.toUpperCase()])
        expect([word, parse({ cache_status }).cache]).toEqual([word, cache]);
  });

  it.each([
    ["HTTP/2 HTTP/2.0 HTTP/3 HTTP/3.0 http/2", true],
    ["HTTP/1.0 HTTP/1.1 http/1.1", false],
    ["HTTP/0.9 HTTP/4 HTTP h2", undefined],
  ])("OBS-1: protocols %s: of HTTP/2 and 3 %j", (words, h2h3) => {
    for (const http_protocol of words.split(" "))
      expect([http_protocol, parse({ http_protocol }).h2h3]).toEqual([http_protocol, h2h3]);
  });

  it("OBS-1: a known source of the score decides, else a detection does", () => {
    for (const source of [
      "machine learning",
      "behavioral analysis",
      "verified bot",
      "js fingerprinting",
      "cloudflare service",
    ])
      for (const bot_score_src of [source, source.toUpperCase()])
        expect([source, parse({ bot_score_src, detection_ids: [1] }).heuristic]).toEqual([source, false]);
    expect(parse({ bot_score_src: "Heuristics", detection_ids: [] }).heuristic).toBe(true);
    expect(parse({ bot_score_src: "no such", detection_ids: [0] }).heuristic).toBe(true);
    expect(parse({ bot_score_src: "no such", detection_ids: [] }).heuristic).toBe(false);
    expect(parse({ bot_score_src: "no such" }).heuristic).toBeUndefined();
    expect(parse({ detection_ids: [7] }).heuristic).toBe(true);
  });

  it("OBS-1: a path ends at its first question mark, wherever that is", () => {
    expect([
      parse({ path: "/a?" }).path,
      parse({ path: "?a" }).path,
      parse({ path: "/a" }).path,
      parse({}).path,
    ]).toEqual([...["/a", "", "/a", undefined]]);
  });

  it("OBS-1: signals that are there are the ones that were sent, no others", () => {
    const { signals } = parse({
      ja4_signals: { h2h3_ratio_1h: 0, ips_quantile_1h: 1, uas_rank_1h: 1, browser_ratio_1h: null },
    });
    expect(Object.entries(signals!)).toEqual([
      ["h2h3_ratio_1h", 0],
      ["uas_rank_1h", 1],
      ["ips_quantile_1h", 1],
    ]);
  });
});

describe("a record's limits", () => {
  it.each([
    ["asn", 0, 4_294_967_295],
    ["status", 100, 599],
    ["bot_score", 0, 99],
  ])("OBS-2: %s goes from %i to %i", (name, min, max) => {
    const wrong = `${name} is not an integer from ${min} to ${max}`;
    for (const value of [min, max]) expect([value, detailOf({ [name]: value })]).toEqual([value, "none"]);
    for (const value of [min - 1, max + 1, min + 0.5, `${min}`, Number.NaN, true, [min]])
      expect([value, detailOf({ [name]: value })]).toEqual([value, wrong]);
  });

  it.each([
    ["ja4", 64],
    ["client_ip", 64],
    ["ray_id", 64],
    ["user_agent", 8_192],
    ["path", 8_192],
    ["host", 8_192],
    ["method", 8_192],
    ["http_protocol", 8_192],
    ["cache_status", 8_192],
    ["bot_score_src", 8_192],
  ])("OBS-2: %s has at most %i bytes of UTF-8", (name, max) => {
    const wrong = `${name} is longer than ${max} bytes`;
    const full = [
      "x".repeat(max),
      // Two, three and four bytes a character.
      "ö".repeat(max / 2),
      `${"€".repeat(Math.floor(max / 3))}${"x".repeat(max % 3)}`,
      "\u{1f600}".repeat(max / 4),
    ];
    for (const text of full) {
      expect(detailOf({ [name]: text })).not.toBe(wrong);
      expect(detailOf({ [name]: `${text}x` })).toBe(wrong);
    }
    expect(detailOf({ [name]: 5 })).toBe(`${name} is not a string`);
  });

  it("OBS-2: what is of another type is named", () => {
    expect(detailOf({ verified_bot: "true" })).toBe("verified_bot is not a boolean");
    expect([
      detailOf({ verified_bot: true }),
      detailOf({ verified_bot: "" }),
      parse({ verified_bot: false }).verifiedBot,
    ]).toEqual([...["none", "none", false]]);
    for (const detection_ids of [[1, "2"], [1.5], [-1], { a: 1 }, 5, "x", true]) {
      expect([detection_ids, detailOf({ detection_ids }).startsWith("detection_ids ")]).toEqual([
        detection_ids,
        true,
      ]);
    }
    for (const ja4_signals of [5, "x", [1], true])
      expect([ja4_signals, detailOf({ ja4_signals }).startsWith("ja4_signals ")]).toEqual([
        ja4_signals,
        true,
      ]);
    expect(detailOf({ ja4: "t13d" })).toContain("ja4 is not a JA4 fingerprint");
  });

  it("TIME-1: each kind of wrong time has its own reason", () => {
    const missing = "timestamp is missing";
    expect([undefined, null, ""].map((timestamp) => detailOf({ timestamp }))).toEqual([
      missing,
      missing,
      missing,
    ]);
    const neither = "timestamp is neither integer milliseconds nor an RFC 3339 time";
    expect([true, {}, [], "noon"].map((timestamp) => detailOf({ timestamp }))).toEqual([
      neither,
      neither,
      neither,
      neither,
    ]);
    expect(detailOf({ timestamp: 1e11 - 1 })).toBe("timestamp is not in milliseconds (seconds?)");
    expect(detailOf({ timestamp: 1e11 })).toBe("expired");
    expect(detailOf({ timestamp: NOW + 0.5 })).toBe("timestamp is not an integer number of milliseconds");
    expect(detailOf({ timestamp: NOW + 60_001 })).toBe(
      "timestamp is more than 60 s ahead of the server's clock",
    );
    for (const record of [null, 5, "x", [], undefined])
      expect(parseObservation(record, NOW)).toEqual({
        expired: false,
        detail: "an observation is an object",
      });
  });
});
