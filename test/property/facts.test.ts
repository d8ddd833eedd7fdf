/** Facts of whatever a request may hold: nothing throws, nothing is invented, everything is accepted. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KeyedHash } from "../../src/base/hash.ts";
import { Exchange } from "../../src/edge/exchange.ts";
import { type FactsOptions, facts } from "../../src/edge/facts.ts";
import { pseudoFingerprint } from "../../src/edge/pseudo.ts";
import { RowMaker } from "../../src/edge/row.ts";
import { UserAgentClassifier } from "../../src/edge/user-agent.ts";
import type { Row } from "../../src/wire/frame-builder.ts";
import { isJa4 } from "../../src/wire/ja4.ts";
import { parseObservation } from "../../src/wire/observation.ts";
import { headersOf, NOW_MS, REAL_BOT_MANAGEMENT, readSeen as read, type Seen } from "../support/facts.ts";

const JA4 = "t13d1516h2_8daaf6152771_02713d6af862";
const HEADER = "x-ja4";
const TLS = {
  tlsVersion: "TLSv1.3",
  tlsClientCiphersSha1: "GXSPDLP4G3X+prK73a4wBuOaHRc=",
  httpProtocol: "HTTP/2",
};

const odd = fc.anything({ withNullPrototype: true, withSparseArray: true, withBigInt: true, withDate: true });
/** A value that is right now and then, so that both ways are taken. */
const mixed = <T>(right: fc.Arbitrary<T>): fc.Arbitrary<unknown> =>
  fc.oneof(right, odd, fc.constant(undefined));
const text = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ maxLength: 3 }).map((s) => s.repeat(4_000)),
);
const ja4 = fc.constantFrom(JA4, "q13d0312h3_55b375c5d22e_5a06198afb93", `x${"0".repeat(24)}`);
const signal = fc.constantFrom(
  "browser_ratio_1h",
  "reqs_rank_1h",
  "ips_quantile_1h",
  "nonsense",
  "__proto__",
);
const signals = fc.dictionary(signal, mixed(fc.double()));
const botManagement = fc.record({
  ja4: mixed(ja4),
  score: mixed(fc.integer({ min: -1, max: 101 })),
  verifiedBot: mixed(fc.boolean()),
  detectionIds: mixed(fc.array(fc.integer())),
  ja4Signals: mixed(signals),
  jaSignalsParsed: mixed(
    fc.record({ ratios: mixed(signals), ranks: mixed(signals), quantiles: mixed(signals) }),
  ),
});
const cf = fc.record({
  botManagement: mixed(fc.oneof(botManagement, fc.constantFrom(...REAL_BOT_MANAGEMENT))),
  asn: mixed(fc.integer({ min: -1, max: 2 ** 33 })),
  clientIp: mixed(fc.oneof(fc.ipV4(), fc.ipV6(), text)),
  ...Object.fromEntries(Object.entries(TLS).map(([name, value]) => [name, mixed(fc.constant(value))])),
});
const names = ["user-agent", "cf-connecting-ip", "cf-ray", HEADER];
const seen = fc.record(
  {
    cf: mixed(cf),
    url: fc.oneof(fc.webUrl({ withQueryParameters: true, withFragments: true }), text),
    method: fc.oneof(fc.constantFrom("GET", "POST"), text),
    status: fc.integer({ min: -1, max: 1_000 }),
    headers: fc.dictionary(fc.constantFrom(...names), fc.oneof(ja4, fc.ipV6(), text)),
    answered: fc.dictionary(fc.constantFrom("cf-cache-status"), fc.oneof(fc.constant("HIT"), text)),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<Seen>;
const options = fc.record({
  ja4Header: fc.option(fc.constant(HEADER), { nil: undefined }),
  orTls: fc.boolean(),
});

/** Where each field of a record may come from, and nowhere else. */
function sourcesOf(one: Seen, given: FactsOptions): Record<string, unknown[]> {
  const facts = (typeof one.cf === "object" && one.cf !== null ? one.cf : {}) as Record<string, unknown>;
  const held = facts.botManagement;
  const bot = (typeof held === "object" && held !== null ? held : {}) as Record<string, unknown>;
  const header = (name: string) => one.headers?.[name];
  const { ja4Header, orTls } = given;
  return {
    timestamp: [NOW_MS],
    method: [one.method ?? "GET"],
    user_agent: [header("user-agent")],
    ray_id: [header("cf-ray")],
    asn: [facts.asn],
    http_protocol: [facts.httpProtocol],
    status: [one.status ?? 200],
    cache_status: [one.answered?.["cf-cache-status"]],
    ja4: [bot.ja4, ja4Header && header(ja4Header), orTls === true ? pseudoFingerprint(facts) : undefined],
    bot_score: [bot.score],
    verified_bot: [bot.verifiedBot],
    detection_ids: [bot.detectionIds, []],
    ja4_signals: [bot.ja4Signals, bot.jaSignalsParsed],
  };
}

const hash = new KeyedHash(new Uint8Array(8).fill(5));
const rows = new RowMaker(new UserAgentClassifier());
const exchange = new Exchange();

/** A copy, since the maker uses its row again. */
function copyOf(row: Row) {
  return { ...row, pathSource: undefined, path: row.path, signals: row.signals?.slice() };
}

describe("facts of anything", () => {
  it("FACT-14: what the edge makes of an exchange is what the API makes of its facts", () => {
    let signalled = 0;
    fc.assert(
      fc.property(fc.array(fc.tuple(seen, options), { minLength: 1, maxLength: 5 }), (list) => {
        for (const [one, given] of list) {
          const { record } = read(one, given);
          const observation = parseObservation(record, NOW_MS);
          if ("expired" in observation) throw new Error("FACT-1 does not hold");
          const expected = rows.ofObservation(observation, hash);
          if (typeof expected === "string") throw new Error(expected);
          const wanted = copyOf(expected);
          const { url = "https://www.shop.example/", method = "GET", status = 200 } = one;
          const request = { method, url, headers: headersOf(one.headers), cf: one.cf };
          exchange.read(request, { status, headers: headersOf(one.answered) }, NOW_MS, given);
          const found = copyOf(rows.ofExchange(exchange, hash));
          if (found.signals !== undefined) signalled++;
          expect(found).toEqual(wanted);
        }
      }),
      { numRuns: 2_000 },
    );
    // The control: some of them have signals.
    expect(signalled).toBeGreaterThan(50);
  });

  it("FACT-1: never throws, and every record is accepted as an observation", () => {
    fc.assert(
      fc.property(seen, options, (one, given) => {
        const { record, dropped } = read(one, given);
        expect(parseObservation(record, NOW_MS)).not.toHaveProperty("expired");
        expect(Number.isInteger(dropped) && dropped >= 0).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it("FACT-2: every field is the input's own value, or left out", () => {
    let fingerprints = 0;
    fc.assert(
      fc.property(seen, options, (one, given) => {
        const { record } = read(one, given);
        const sources = sourcesOf(one, given);
        if (record.ja4 !== undefined) fingerprints++;
        for (const [name, value] of Object.entries(record)) {
          if (name === "host" || name === "path") continue;
          if (name === "client_ip") {
            const from = one.headers?.["cf-connecting-ip"] ?? (one.cf as { clientIp: string }).clientIp;
            expect(from).toContain(value);
          } else expect(sources[name], name).toContainEqual(value);
        }
        expect(record.ja4 === undefined || isJa4(record.ja4)).toBe(true);
        for (const known of ["bot_score", "verified_bot", "detection_ids", "ja4_signals"]) {
          if (known in record) expect(record.ja4).toBeDefined();
        }
      }),
      { numRuns: 2_000 },
    );
    // The control: the arbitrary objects do hold fingerprints.
    expect(fingerprints).toBeGreaterThan(100);
  });

  it("FACT-3: host and path are those of the URL, without user info, port, query and fragment", () => {
    fc.assert(
      fc.property(fc.webUrl({ withQueryParameters: true, withFragments: true }), (url) => {
        const parsed = new URL(url);
        const { host, path } = read({ url: parsed.href }).record;
        expect([host, path]).toEqual([parsed.hostname, parsed.pathname]);
      }),
    );
  });

  it.each([
    ["https://User:p%40ss@WWW.Shop.example:8443/a/b?q=1#f", "www.shop.example", "/a/b"],
    ["https://shop.example?next=https://evil.example/x", "shop.example", "/"],
    ["http://[2001:db8::1]:8080/x", "[2001:db8::1]", "/x"],
    ["http://shop.example/@me/a:b?c", "shop.example", "/@me/a:b"],
    ["http://shop.example#a/b", "shop.example", "/"],
  ])("FACT-3: %s", (url, host, path) => {
    expect(read({ url }).record).toMatchObject({ host, path });
  });

  it("FACT-13: the time is the request's, and now when none is given", () => {
    const before = Date.now();
    const { timestamp } = facts(
      { method: "GET", url: "https://shop.example/", headers: headersOf() },
      { status: 200, headers: headersOf() },
    );
    expect(timestamp >= before && timestamp <= Date.now()).toBe(true);
    expect(read({}).record.timestamp).toBe(NOW_MS);
  });
});
