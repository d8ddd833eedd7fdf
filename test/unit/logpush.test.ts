/** Logpush records: every field, every form of the time, and what is wrong of each. */
import { describe, expect, it } from "vitest";
import { readLogpush } from "../../src/wire/logpush.ts";
import { parseObservation } from "../../src/wire/observation.ts";

const MS = Date.parse("2026-11-23T12:00:00.123Z");
const JA4 = "t13d1516h2_8daaf6152771_02713d6af862";
const bytes = (text: string) => new TextEncoder().encode(text);
const read = (record: unknown) => readLogpush(bytes(JSON.stringify(record)));
/** The observation of a record with these fields besides its time. */
function observe(fields: Record<string, unknown>) {
  const found = read({ EdgeStartTimestamp: "2026-11-23T12:00:00.123Z", ...fields });
  if (!("fields" in found)) throw new Error(JSON.stringify(found));
  const observation = parseObservation(found.fields, MS);
  if ("expired" in observation) throw new Error(JSON.stringify(observation));
  return { ...observation, dropped: found.dropped };
}
function timeOf(json: string): unknown {
  const found = readLogpush(bytes(`{"RayID":"a","EdgeStartTimestamp":${json},"JA4":""}`));
  return "fields" in found ? found.fields.timestamp : found;
}

describe("logpush records", () => {
  it.each([
    // As doubles the first two are one number, and it lies in the later millisecond.
    ["1763899200122999999", 1_763_899_200_122],
    ["1763899200123000000", 1_763_899_200_123],
    ['"1763899200122999999"', 1_763_899_200_122],
    ["1763899200123000", 1_763_899_200_123],
    ["1763899200123", 1_763_899_200_123],
    ["1763899200", 1_763_899_200_000],
    ['"1763899200"', 1_763_899_200_000],
    ["1763899200.123", 1_763_899_200_123],
    ['"2026-11-23T12:00:00Z"', MS - 123],
    ['"2026-11-23T12:00:00.123999Z"', MS],
    ['"2026-11-23T13:00:00.123+01:00"', MS],
  ])("LOGP-3: the time %s is exact to the millisecond", (json, ms) => {
    expect(timeOf(json)).toBe(ms);
  });

  it("LOGP-3: the digits are the field's own, wherever else its name stands", () => {
    const text = `{"RequestHeaders":{"EdgeStartTimestamp":1763899200122999998},"Cookie":"\\"EdgeStartTimestamp\\":1 ","EdgeStartTimestamp" : 1763899200122999999}`;
    expect(readLogpush(bytes(text))).toMatchObject({ fields: { timestamp: 1_763_899_200_122 } });
  });

  it.each(["true", '"yesterday"', "-5", "1e400", "{}", "null", '""'])("LOGP-3: %s is no time", (json) => {
    expect(timeOf(json)).toEqual({ fault: expect.stringContaining("EdgeStartTimestamp") });
  });

  it("LOGP-4: every field is read under Cloudflare's name", () => {
    const all = observe({
      ...{ JA4, ClientIP: "2001:db8::1", ClientASN: 64_500, ClientRequestHost: "WWW.example.com" },
      ...{
        ClientRequestMethod: "GET",
        ClientRequestPath: "/a",
        ClientRequestURI: "/b?c",
        EdgeResponseStatus: 404,
      },
      ...{ ClientRequestProtocol: "http/3", ClientRequestUserAgent: "curl/8", CacheCacheStatus: "HIT" },
      ...{ BotScore: 2, BotScoreSrc: "Heuristics", BotDetectionIDs: [7], JA4Signals: { h2h3_ratio_1h: 0.5 } },
      ...{ RayID: "8a1b", VerifiedBotCategory: "Search Engine Crawler" },
    });
    expect(all).toMatchObject({
      ...{ timestampMs: MS, ja4: JA4, clientIp: "2001:db8::1", asn: 64_500, host: "www.example.com" },
      ...{
        method: "GET",
        path: "/a",
        status: 404,
        h2h3: true,
        userAgent: "curl/8",
        cache: true,
        heuristic: true,
      },
      ...{ verifiedBot: true, signals: { h2h3_ratio_1h: 0.5 }, rayId: "8a1b", dropped: 0 },
    });
  });

  it("LOGP-4: the path is the URI's without its query where there is no other", () => {
    expect(observe({ ClientRequestURI: "/b?c=d" }).path).toBe("/b");
    expect(observe({ ClientRequestPath: "", ClientRequestURI: "/b?c=d" }).path).toBe("/b");
  });

  it.each([
    ["Verified Bot", undefined, true],
    ["verified bot", "", true],
    ["Machine Learning", "Monitoring", true],
    ["Machine Learning", undefined, false],
    ["Not Computed", "", undefined],
    [undefined, undefined, undefined],
  ])("LOGP-4: source %s, category %s: verified %s", (BotScoreSrc, VerifiedBotCategory, verified) => {
    expect(observe({ BotScoreSrc, VerifiedBotCategory }).verifiedBot).toBe(verified);
  });

  it.each(["hit", "miss", "expired", "updating", "stale", "revalidated", "stream_hit", "deferred"])(
    "LOGP-4: cache status %s could have been cached",
    (CacheCacheStatus) => expect(observe({ CacheCacheStatus }).cache).toBe(true),
  );

  it.each([
    ["dynamic", false],
    ["bypass", false],
    ["ignored", false],
    ["unknown", undefined],
  ])("LOGP-4: cache status %s: %s", (CacheCacheStatus, cache) =>
    expect(observe({ CacheCacheStatus }).cache).toBe(cache),
  );

  it.each([
    ["JA4", "t13d"],
    ["JA4", 5],
    ["ClientIP", 5],
    ["ClientASN", -1],
    ["ClientASN", "64500"],
    ["EdgeResponseStatus", 0],
    ["BotScore", 100],
    ["BotDetectionIDs", ["a"]],
    ["JA4Signals", []],
    ["ClientRequestPath", { a: 1 }],
    ["ClientRequestUserAgent", "ä".repeat(4_097)],
    ["RayID", "a".repeat(65)],
    ["VerifiedBotCategory", 5],
  ])("LOGP-7: %s of the wrong kind is left out and counted", (name, value) => {
    expect(observe({ [name]: value }).dropped).toBe(1);
    expect(observe({ [name]: null }).dropped).toBe(0);
  });

  it("LOGP-7: prototypes and duplicate names do nothing but what JSON says", () => {
    const text = `{"__proto__":{"JA4":"${JA4}"},"JA4":"t13d","JA4":"","EdgeStartTimestamp":1763899200}`;
    expect(readLogpush(bytes(text))).toEqual({ fields: { timestamp: 1_763_899_200_000 }, dropped: 0 });
  });
});
