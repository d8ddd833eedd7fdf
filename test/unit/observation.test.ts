import { describe, expect, it } from "vitest";
import { KeyedHash } from "../../src/base/hash.ts";
import { AddressParser } from "../../src/edge/identity.ts";
import { RowMaker } from "../../src/edge/row.ts";
import { classifyUserAgent, UserAgentClassifier } from "../../src/edge/user-agent.ts";
import { observation as schema } from "../../src/schemas/observation.ts";
import { factBits, HAS_HOST, HAS_IP, HAS_PATH, HAS_SIGNALS, HAS_UA } from "../../src/wire/flags.ts";
import { type Observation, parseObservation } from "../../src/wire/observation.ts";

const NOW = Date.parse("2026-11-23T12:00:00Z");
const CHROME_UA =
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";
const hash = new KeyedHash(new Uint8Array(8));

/** A copy, since the maker uses its row again. */
function rowOf(observation: Observation) {
  const row = new RowMaker(new UserAgentClassifier()).ofObservation(observation, hash);
  if (typeof row === "string") throw new Error(row);
  return { ...row, path: row.path };
}

function parse(over: Record<string, unknown>): Observation {
  const result = parseObservation({ timestamp: NOW, ...over }, NOW);
  if ("expired" in result) throw new Error(result.expired ? "expired" : result.detail);
  return result;
}

describe("one observation", () => {
  it.each([
    [{ http_protocol: "http/3" }, { h2h3: true }],
    [{ http_protocol: "HTTP/2.0" }, { h2h3: true }],
    [{ http_protocol: "HTTP/1.1" }, { h2h3: false }],
    [{ http_protocol: "SPDY" }, { h2h3: undefined }],
    [{ cache_status: "HIT" }, { cache: true }],
    [{ cache_status: "Deferred" }, { cache: true }],
    [{ cache_status: "dynamic" }, { cache: false }],
    [{ cache_status: "unknown" }, { cache: undefined }],
    [{ bot_score_src: "heuristics" }, { heuristic: true }],
    [{ bot_score_src: "Machine Learning", detection_ids: [1] }, { heuristic: false }],
    [{ bot_score_src: "Not Computed", detection_ids: [1] }, { heuristic: true }],
    [{ detection_ids: {} }, { heuristic: false }],
    [{ detection_ids: [] }, { heuristic: false }],
    [{}, { heuristic: undefined, cache: undefined, h2h3: undefined, verifiedBot: undefined }],
    [{ path: "/a?b=c?d" }, { path: "/a" }],
    [{ host: "WWW.Example.COM" }, { host: "www.example.com" }],
    [
      { ja4: "", user_agent: null, ja4_signals: null, detection_ids: "" },
      { ja4: undefined, userAgent: undefined },
    ],
    [
      { ja4_signals: { browser_ratio_1h: 0.9, reqs_rank_1h: "5", cache_ratio_1h: Number.NaN, other: 1 } },
      { signals: { browser_ratio_1h: 0.9 } },
    ],
    [
      { ja4_signals: { ratios: { browser_ratio_1h: 0.9 }, ranks: { reqs_rank_1h: 5 }, quantiles: {} } },
      { signals: { browser_ratio_1h: 0.9, reqs_rank_1h: 5 } },
    ],
    [{ ja4_signals: {} }, { signals: undefined }],
    [{ ja4_signals: { browser_ratio_1h: 2, reqs_rank_1h: 0 } }, { signals: undefined }],
  ])("OBS-1: %j is understood as %j", (record, expected) => {
    expect(parse(record)).toMatchObject(expected);
  });

  it.each([
    [{ timestamp: undefined }, "timestamp is missing"],
    [{ timestamp: NOW / 1_000 }, "timestamp is not in milliseconds (seconds?)"],
    [{ timestamp: NOW + 0.5 }, "timestamp is not an integer number of milliseconds"],
    [{ timestamp: "today" }, "timestamp is neither integer milliseconds nor an RFC 3339 time"],
    [{ timestamp: NOW + 60_001 }, "timestamp is more than 60 s ahead of the server's clock"],
    [{ ja4: "curl" }, "ja4 is not a JA4 fingerprint such as t13d1516h2_8daaf6152771_02713d6af862"],
    [{ ja4: 5 }, "ja4 is not a string"],
    [{ user_agent: "x".repeat(8_193) }, "user_agent is longer than 8192 bytes"],
    [{ user_agent: "ü".repeat(4_097) }, "user_agent is longer than 8192 bytes"],
    [{ asn: -1 }, "asn is not an integer from 0 to 4294967295"],
    [{ status: 99 }, "status is not an integer from 100 to 599"],
    [{ bot_score: 100 }, "bot_score is not an integer from 0 to 99"],
    [{ verified_bot: "yes" }, "verified_bot is not a boolean"],
    [{ detection_ids: { a: 1 } }, "detection_ids is not an array of integers"],
    [{ ja4_signals: [] }, "ja4_signals is not an object"],
    [{ ray_id: "r".repeat(65) }, "ray_id is longer than 64 bytes"],
  ])("OBS-2: %j is rejected: %s", (record, detail) => {
    expect(() => parse(record)).toThrow(detail);
  });

  it("OBS-3: the edges of time: 60 s ahead and one hour ago are in, a millisecond more is not", () => {
    expect(parse({ timestamp: NOW + 60_000 }).timestampMs).toBe(NOW + 60_000);
    expect(parse({ timestamp: NOW - 3_600_000 }).timestampMs).toBe(NOW - 3_600_000);
    expect(() => parse({ timestamp: NOW - 3_600_001 })).toThrow("expired");
    expect(parse({ timestamp: "2026-11-23T13:00:00.250+01:00" }).timestampMs).toBe(NOW + 250);
  });

  it.each([null, 1, "x", [], undefined])("OBS-2: %j is no observation", (record) => {
    expect(parseObservation(record, NOW)).toEqual({ expired: false, detail: "an observation is an object" });
  });

  it("OBS-4: whatever the decoder takes the documented schema takes, and what only one of them takes is known", () => {
    const records: Record<string, unknown>[] = [
      { timestamp: NOW },
      { timestamp: "2026-11-23T12:00:00Z", ja4: "", client_ip: "192.0.2.1", asn: "", status: 200 },
      { timestamp: NOW, detection_ids: {}, ja4_signals: { browser_ratio_1h: 0.5 }, unknown: [1] },
      { timestamp: NOW, ja4: "curl" },
      { timestamp: NOW, status: 99 },
      { timestamp: NOW / 1_000 },
      { timestamp: NOW, verified_bot: "yes" },
      { timestamp: NOW, detection_ids: ["1"] },
      {},
    ];
    for (const record of records) {
      const taken = !("expired" in parseObservation(record, NOW));
      expect({ record, taken: schema.safeParse(record).success }).toEqual({ record, taken });
    }
  });
});

describe("identities", () => {
  it.each([
    ["192.0.2.1", [192, 0, 2, 1]],
    ["::ffff:192.0.2.1", [192, 0, 2, 1]],
    ["2001:db8:1:2:3:4:5:6", [0x20, 1, 0xd, 0xb8, 0, 1, 0, 2]],
    ["2001:DB8:1:2::", [0x20, 1, 0xd, 0xb8, 0, 1, 0, 2]],
    ["::FFFF:c000:0201", [192, 0, 2, 1]],
    ["64:ff9b::192.0.2.1", [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0]],
    ["::192.0.2.1", [0, 0, 0, 0, 0, 0, 0, 0]],
  ])("IDENT-1: %s counts as %j", (text, bytes) => {
    const address = new AddressParser();
    expect(address.parse(text)).toBe(true);
    expect([...address.bytes.subarray(0, address.length)]).toEqual(bytes);
  });

  it.each([
    "",
    "127.1",
    "0x7f.0.0.1",
    "2130706433",
    "256.0.0.1",
    "1.2.3",
    "fe80::1%eth0",
    ":::",
    "::ffff:010.0.0.1",
    "::ffff:0x7f.0.0.1",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1::2:3:4:5:6:7:8",
    "1::2::3",
    "12345::",
    "1:2:3:4:5:6:7:1.2.3.4",
    "example.com",
    "1.2.3.4:80",
  ])("IDENT-1: %j is no address", (text) => {
    const address = new AddressParser();
    expect([address.parse(text), address.length]).toEqual([false, 0]);
  });

  it("IDENT-2: a row holds hashes and flags, nothing known leaves no bit", () => {
    const row = rowOf(
      parse({ client_ip: "192.0.2.1", user_agent: CHROME_UA, path: "/", host: "a", status: 404 }),
    );
    expect(row.flags).toBe(
      factBits("browser", true) |
        factBits("bot", false) |
        factBits("error", true) |
        HAS_IP |
        HAS_UA |
        HAS_PATH |
        HAS_HOST,
    );
    const bare = rowOf(parse({}));
    expect(bare).toMatchObject({
      ja4: "",
      flags: 0,
      ipHash: 0,
      uaHash: 0,
      pathHash: 0,
      hostHash: 0,
      asnNumber: 0,
    });
  });

  it("IDENT-3: signals without a JA4 are nobody's", () => {
    const ja4_signals = { browser_ratio_1h: 0.9 };
    const without = rowOf(parse({ ja4_signals }));
    const withJa4 = rowOf(parse({ ja4_signals, ja4: `x${"0".repeat(24)}` }));
    expect(without).toMatchObject({ signals: undefined, flags: 0 });
    expect(withJa4).toMatchObject({ flags: HAS_SIGNALS });
  });

  it("IDENT-4: an address that is none is named, its text is not repeated", () => {
    const told = new RowMaker(new UserAgentClassifier()).ofObservation(
      parse({ client_ip: "10.1.2.300" }),
      hash,
    );
    expect(told).toBe("client_ip is not an IPv4 or IPv6 address");
  });
});

describe("user agents", () => {
  it.each([
    [CHROME_UA, true, false],
    ["Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", true, false],
    [
      "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
      true,
      false,
    ],
    ["Mozilla/5.0 (Windows NT 6.1; Trident/7.0; rv:11.0) like Gecko", true, false],
    ["Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", false, true],
    [
      "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0) Chrome/142.0.0.0 Safari/537.36",
      false,
      true,
    ],
    ["curl/8.5.0", false, true],
    ["Mozilla/5.0", false, true],
    ["Opera/9.80 (Windows NT 6.1) Presto/2.12.388 Version/12.18", false, false],
  ])("UA-1: %s", (agent, browser, bot) => {
    expect(classifyUserAgent(agent)).toEqual({ browser, bot });
  });

  it("UA-2: the cache answers the same, over more agents than it holds", () => {
    const classifier = new UserAgentClassifier();
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 5_000; i++) {
        const agent = i % 2 === 0 ? `${CHROME_UA} ${i}` : `curl/${i}`;
        expect(classifier.classify(agent, hash).browser).toBe(i % 2 === 0);
      }
    }
  });
});
