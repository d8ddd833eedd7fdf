/** Facts of what Cloudflare, the local engine and other proxies are known to send, one absence at a time. */
import { describe, expect, it } from "vitest";
import { FIELD_MAX_BYTES } from "../../src/config.ts";
import { pseudoFingerprint } from "../../src/edge/pseudo.ts";
import { type Observation, parseObservation } from "../../src/wire/observation.ts";
import { NOW_MS, REAL_BOT_MANAGEMENT, readSeen as read, type Seen } from "../support/facts.ts";

const JA4 = "t13d1516h2_8daaf6152771_02713d6af862";
const HEADER = "x-ja4";
const TLS = {
  tlsVersion: "TLSv1.3",
  tlsClientCiphersSha1: "GXSPDLP4G3X+prK73a4wBuOaHRc=",
  httpProtocol: "HTTP/2",
};

const withBot = (botManagement: unknown) => read({ cf: { botManagement } });

function observed(record: unknown): Observation {
  const observation = parseObservation(record, NOW_MS);
  if ("expired" in observation) throw new Error(JSON.stringify(observation));
  return observation;
}

describe("absence", () => {
  it.each<[string, unknown]>([
    ["no cf", undefined],
    ["no botManagement", { asn: 64_500 }],
    ["botManagement null", { botManagement: null }],
    ["botManagement empty", { botManagement: {} }],
    ["a list instead of an object", { botManagement: [JA4] }],
    ["no ja4", { botManagement: { score: 30, ja4Signals: { browser_ratio_1h: 0.5 } } }],
    ["ja4 null", { botManagement: { ja4: null, score: 30, verifiedBot: true } }],
    ["ja4 empty", { botManagement: { ja4: "", score: 30, detectionIds: [1] } }],
    [
      "a zone without Bot Management",
      {
        botManagement: {
          ...{ corporateProxy: false, verifiedBot: false, jsDetection: { passed: false } },
          ...{ staticResource: false, detectionIds: {}, score: 99 },
        },
        verifiedBotCategory: "",
      },
    ],
  ])("FACT-4: %s: nothing of Bot Management is known, and nothing counts as dropped", (_, cf) => {
    const { record, dropped } = read({ cf });
    for (const name of ["ja4", "bot_score", "verified_bot", "detection_ids", "ja4_signals"]) {
      expect(record).not.toHaveProperty(name);
    }
    expect(dropped).toBe(0);
  });

  it.each<[string, unknown, number]>([
    ["malformed ja4", { ja4: "t13d1516h2", score: 5 }, 1],
    ["ja4 a number", { ja4: 7, verifiedBot: false }, 1],
    ["score too large", { ja4: JA4, score: 100 }, 1],
    ["score a text", { ja4: JA4, score: "5" }, 1],
    ["verifiedBot a text", { ja4: JA4, verifiedBot: "true" }, 1],
    ["detectionIds with a text", { ja4: JA4, detectionIds: [1, "2"] }, 1],
    ["detectionIds with a key", { ja4: JA4, detectionIds: { a: 1 } }, 1],
    ["signals a text", { ja4: JA4, ja4Signals: "none" }, 1],
    ["all at once", { ja4: JA4, score: -1, verifiedBot: 1, detectionIds: "x", ja4Signals: [] }, 4],
  ])("FACT-5: what is malformed is left out and counted: %s", (_, bot, dropped) => {
    const found = withBot(bot);
    expect(found.dropped).toBe(dropped);
    expect(Object.keys(found.record).sort()).toEqual(
      [
        "host",
        "method",
        "path",
        "status",
        "timestamp",
        ...((bot as { ja4: unknown }).ja4 === JA4 ? ["ja4"] : []),
      ].sort(),
    );
  });

  it.each<[string, Seen]>([
    ["an agent of 9 KiB", { headers: { "user-agent": "a".repeat(FIELD_MAX_BYTES + 1) } }],
    ["a path of 9 KiB", { url: `https://shop.example/${"a".repeat(FIELD_MAX_BYTES)}` }],
    ["an address that is none", { headers: { "cf-connecting-ip": "1.2.3" } }],
    ["an address as long as a book", { headers: { "cf-connecting-ip": `${"0".repeat(80)}1::` } }],
    ["a ray id of 65 characters", { headers: { "cf-ray": "a".repeat(65) } }],
    ["a network that is none", { cf: { asn: -1 } }],
    ["a status of 99", { status: 99 }],
  ])("FACT-5: and so is %s", (_, one) => {
    const { record, dropped } = read(one);
    expect(dropped).toBe(1);
    observed(record);
  });

  it.each<[string, Record<string, unknown>, Observation["signals"]]>([
    ["absent", {}, undefined],
    ["{}", { ja4Signals: {} }, undefined],
    ["parsed and empty", { jaSignalsParsed: { ratios: {}, ranks: {}, quantiles: {} } }, undefined],
    ["partial", { ja4Signals: { cache_ratio_1h: 0.5 } }, { cache_ratio_1h: 0.5 }],
    ["only parsed", { jaSignalsParsed: { ranks: { ips_rank_1h: 7 } } }, { ips_rank_1h: 7 }],
    [
      "with what is no number",
      {
        ja4Signals: {
          cache_ratio_1h: Number.NaN,
          ips_rank_1h: Number.POSITIVE_INFINITY,
          uas_rank_1h: "1",
          h2h3_ratio_1h: 0,
        },
      },
      { h2h3_ratio_1h: 0 },
    ],
  ])("FACT-6: signals %s", (_, bot, wanted) => {
    const { record, dropped } = withBot({ ja4: JA4, ...bot });
    expect([observed(record).signals, dropped]).toEqual([wanted, 0]);
  });

  it("FACT-7: beside a JA4 a score of 0, no bot and an empty list are facts", () => {
    const { record } = withBot({ ja4: JA4, score: 0, verifiedBot: false, detectionIds: {} });
    expect(record).toMatchObject({ bot_score: 0, verified_bot: false, detection_ids: [] });
    expect(observed(record)).toMatchObject({ heuristic: false, verifiedBot: false });
    expect(observed(withBot({ ja4: JA4, detectionIds: [152120193] }).record).heuristic).toBe(true);
  });

  it.each(REAL_BOT_MANAGEMENT.map((bot, i) => [i, bot] as const))(
    "FACT-8: real object %i reads whole",
    (_, bot) => {
      const { record, dropped } = withBot(bot);
      const { ja4, signals } = observed(record);
      const known = Object.keys(bot.ja4Signals).length > 0;
      expect(dropped).toBe(0);
      expect(ja4).toBe(bot.ja4 ?? undefined);
      expect(signals).toEqual(bot.ja4 !== null && known ? bot.ja4Signals : undefined);
      expect(record.bot_score).toBe(bot.ja4 === null ? undefined : bot.score);
    },
  );
});

describe("other fingerprints", () => {
  it("FACT-9: the trusted header counts where request.cf has no JA4, and brings no facts of Bot Management", () => {
    const headers = { [HEADER]: JA4 };
    const bot = { score: 99, verifiedBot: false, detectionIds: {} };
    expect(read({ headers, cf: { botManagement: bot } }, { ja4Header: HEADER }).record).toMatchObject({
      ja4: JA4,
    });
    expect(read({ headers, cf: { botManagement: bot } }, { ja4Header: HEADER }).record).not.toHaveProperty(
      "bot_score",
    );
    const own = "q13d0312h3_55b375c5d22e_5a06198afb93";
    expect(read({ headers, cf: { botManagement: { ja4: own } } }, { ja4Header: HEADER }).record.ja4).toBe(
      own,
    );
    expect(read({ headers }).record).not.toHaveProperty("ja4");
    expect(read({ headers: { [HEADER]: "nonsense" } }, { ja4Header: HEADER })).toMatchObject({ dropped: 1 });
  });

  it("FACT-10: a pseudo fingerprint is stable, and follows version, ciphers and protocol only", () => {
    const pseudo = pseudoFingerprint(TLS);
    expect(pseudo).toMatch(/^x[0-9a-f]{24}$/);
    expect(pseudo).toBe("xe093529ddec7590bffbde15c");
    expect(pseudoFingerprint({ ...TLS, tlsClientExtensionsSha1: "shuffled", tlsClientRandom: "nonce" })).toBe(
      pseudo,
    );
    for (const [name, value] of [
      ["tlsVersion", "TLSv1.2"],
      ["tlsClientCiphersSha1", "other"],
      ["httpProtocol", "HTTP/3"],
    ]) {
      expect(pseudoFingerprint({ ...TLS, [name!]: value })).not.toBe(pseudo);
    }
  });

  it("FACT-11: a pseudo fingerprint is made when asked for, without a JA4, of complete TLS facts", () => {
    const orTls = { orTls: true };
    expect(read({ cf: TLS }, orTls).record.ja4).toBe(pseudoFingerprint(TLS));
    expect(read({ cf: TLS }).record).not.toHaveProperty("ja4");
    expect(read({ cf: { ...TLS, botManagement: { ja4: JA4 } } }, orTls).record.ja4).toBe(JA4);
    for (const missing of [undefined, "", 13]) {
      expect(read({ cf: { ...TLS, tlsClientCiphersSha1: missing } }, orTls).record).not.toHaveProperty("ja4");
    }
  });

  it("FACT-12: the local engine's clientIp is an address with a port", () => {
    const address = (clientIp: unknown) => read({ cf: { clientIp } }).record.client_ip;
    expect([address("127.0.0.1:51234"), address("[::1]:51234")]).toEqual(["127.0.0.1", "::1"]);
    const headers = { "cf-connecting-ip": "203.0.113.9" };
    expect(read({ headers, cf: { clientIp: "127.0.0.1:1" } }).record.client_ip).toBe("203.0.113.9");
  });
});
