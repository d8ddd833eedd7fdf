/** The table that gives logs a JA4. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { ja4Giver, ja4OfAddress, ja4OfAgent } from "../../scripts/lib/replay/ja4-table.ts";
import { isJa4 } from "../../src/wire/ja4.ts";

const KNOWN = fileURLToPath(new URL("../../../shared/data/ja4-known.csv", import.meta.url));

const CHROME =
  "Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/32.0.1700.107 Safari/537.36";
const REAL: readonly [agent: string, family: string][] = [
  [CHROME, "Chromium"],
  [`${CHROME} Edg/120.0.0.0`, "Chromium"],
  ["Mozilla/5.0 (X11; Linux x86_64; rv:27.0) Gecko/20100101 Firefox/27.0", "Firefox"],
  [
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_1) AppleWebKit/537.73.11 (KHTML, like Gecko) Version/7.0.1 Safari/537.73.11",
    "Safari",
  ],
  [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 7_0 like Mac OS X) AppleWebKit/537.51.1 (KHTML, like Gecko) CriOS/30.0.1599.12 Mobile/11A465 Safari/8536.25",
    "Safari",
  ],
  ["Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; WOW64; Trident/5.0)", "Internet Explorer"],
  ["Mozilla/5.0 (Windows NT 6.1; Trident/7.0; rv:11.0) like Gecko", "Internet Explorer"],
  ["python-requests/2.31.0", "Python"],
  ["Go-http-client/2.0", "Go"],
];
const MADE_UP: readonly [agent: string | undefined, family: string][] = [
  [undefined, "no user agent"],
  ["curl/8.5.0", "curl"],
  ["Tiny Tiny RSS/1.11 (http://tt-rss.org/)", "Tiny Tiny RSS"],
  ["Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Googlebot"],
  [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 6_0 like Mac OS X) AppleWebKit/536.26 (KHTML, like Gecko) Version/6.0 Mobile/10A5376e Safari/8536.25 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Googlebot",
  ],
  ["Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)", "Yahoo! Slurp"],
  ["Opera/9.80 (Windows NT 6.1) Presto/2.12.388 Version/12.16", "Opera"],
  ["\\x16\\x03", "\\x"],
  ["(((", "other"],
];

describe("JA4 for logs without one", () => {
  it("REPLAY-9: known families get real values, and their like the same", () => {
    for (const [agent, family] of REAL) {
      expect(ja4OfAgent(agent), agent).toMatchObject({ family, real: true });
      expect(isJa4(ja4OfAgent(agent).ja4), agent).toBe(true);
    }
  });

  it.skipIf(!existsSync(KNOWN))(
    "REPLAY-9: real values are those of the published mapping (skips without ../shared/data)",
    () => {
      const published = new Set(
        readFileSync(KNOWN, "utf8")
          .split("\n")
          .map((line) => line.split(",")[0]),
      );
      for (const [agent] of REAL) expect(published, agent).toContain(ja4OfAgent(agent).ja4);
    },
  );

  it("REPLAY-9: other families get a made-up one: well formed, and recognisably none of a real client", () => {
    for (const [agent, family] of MADE_UP) {
      const { ja4, ...rest } = ja4OfAgent(agent);
      expect(rest, agent).toEqual({ family, real: false });
      expect(isJa4(ja4), agent).toBe(true);
      expect(ja4, agent).toMatch(/^t00d0000ua_/);
    }
    const versions = ["curl/8.5.0", "curl/7.1", "CURL/1"].map((agent) => ja4OfAgent(agent).ja4);
    expect(new Set(versions).size).toBe(1);
    expect(ja4OfAgent("Wget/1.12").ja4).not.toBe(versions[0]);
  });

  it("REPLAY-9: by address, one for each, always the same; all without an address share one", () => {
    const list = ["192.0.2.1", "192.0.2.2", "2001:db8::1", undefined].map(ja4OfAddress);
    expect(new Set(list).size).toBe(4);
    expect(list).toEqual(["192.0.2.1", "192.0.2.2", "2001:db8::1", undefined].map(ja4OfAddress));
    for (const ja4 of list) {
      expect(isJa4(ja4)).toBe(true);
      expect(ja4).toMatch(/^t00d0000ip_/);
    }
  });

  it("REPLAY-9: ua looks at the agent, ip at the address, a value at nothing", () => {
    const fields = { user_agent: CHROME, client_ip: "192.0.2.1" };
    expect(ja4Giver("ua")(fields).ja4).toBe(ja4OfAgent(CHROME).ja4);
    expect(ja4Giver("ip")(fields).ja4).toBe(ja4OfAddress("192.0.2.1"));
    const value = "t13d1516h2_8daaf6152771_02713d6af862";
    expect(ja4Giver({ value })({}).ja4).toBe(value);
    expect(ja4Giver("ua")({ user_agent: 7 }).ja4).toBe(ja4OfAgent(undefined).ja4);
  });
});
