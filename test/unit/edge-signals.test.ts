/** The signals that an isolate remembers, and how the origin gets them. */
import { describe, expect, it } from "vitest";
import { SIGNALS_CACHE_MAX } from "../../src/config.ts";
import { outgoing } from "../../src/edge/pass-through.ts";
import { SignalsCache } from "../../src/edge/signals-cache.ts";
import { SIGNALS_HEADER, signalsHeader } from "../../src/edge/signals-header.ts";
import { parseOptions } from "../../src/options.ts";
import { featureRow } from "../../src/reading/features.ts";
import { FEATURE_VERSION } from "../../src/signals/features.ts";
import { type Isolate, signalsOf } from "../../src/worker.ts";

const JA4 = "t13d1516h2_8daaf6152771_02713d6af862";
const row = { feature_version: 1, site: "shop", ja4: JA4, local_browser_ratio_1h: 0.121 };

describe("features", () => {
  it("SIG-1: a row is the full form flattened: numbers and texts under their path, lists left out, absent stays absent", () => {
    const form = {
      ...{ site: "shop", ja4: JA4, as_of: "2026-11-23T12:00:00.000Z", score: 7.4, source: "tls" },
      windows: { "1m": { reqs: 3, error_ratio: 0 }, "5m": { reqs: 3 } },
      ...{ local: { browser_ratio_1h: 0.12 }, global: undefined, expected: { reqs_1m: { mean: 1, low: 0 } } },
      ...{
        divergence: [{ signal: "x" }],
        anomalies: [],
        waf_expression: "…",
        partial: { missing_shards: [1] },
      },
    };
    expect(featureRow(form)).toEqual({
      ...{ feature_version: FEATURE_VERSION, site: "shop", ja4: JA4, as_of: "2026-11-23T12:00:00.000Z" },
      ...{ score: 7.4, source: "tls", windows_1m_reqs: 3, windows_1m_error_ratio: 0, windows_5m_reqs: 3 },
      ...{ local_browser_ratio_1h: 0.12, expected_reqs_1m_mean: 1, expected_reqs_1m_low: 0 },
    });
    expect(Object.keys(featureRow(form)).slice(0, 4)).toEqual(["feature_version", "site", "ja4", "as_of"]);
  });
});

describe("header", () => {
  it("SIG-2: ratios and quantiles are whole ppm, the age whole seconds; ranks, counts and windows stay here", () => {
    const known = {
      ...row,
      local_reqs_quantile_1h: 0.99905741,
      local_reqs_rank_1h: 850,
      local_asns_1h: 4,
      windows_1m_error_ratio: 1,
    };
    expect(signalsHeader(known, 2_600)).toBe(
      "browser_ratio_1h_ppm=121000, reqs_quantile_1h_ppm=999057, age=3",
    );
  });

  it("SIG-2: there is no header when nothing is known", () => {
    expect(signalsHeader({ ja4: JA4, local_reqs_rank_1h: 1 }, 0)).toBeUndefined();
  });

  const visitor = (headers: Record<string, string> = {}) =>
    new Request("https://www.shop.example/a?b=1", { headers });
  const off = { originUrl: undefined, signalsHeader: false };
  const on = { originUrl: undefined, signalsHeader: true };

  it("SIG-3: a request that needs no change is the visitor's own", () => {
    const request = visitor({ "x-own": "1" });
    expect(outgoing(request, off, { row, ageMs: 0 })).toBe(request);
    expect(outgoing(request, on, undefined)).toBe(request);
  });

  it("SIG-3: the caller's own header is taken off, whether the feature is on or off", () => {
    for (const options of [on, off]) {
      const sent = outgoing(visitor({ "X-HelloTide-Signals": "forged", "x-own": "1" }), options, undefined);
      expect([sent.headers.has(SIGNALS_HEADER), sent.headers.get("x-own"), sent.url]).toEqual([
        false,
        "1",
        "https://www.shop.example/a?b=1",
      ]);
    }
  });

  it("SIG-3: ours replaces it", () => {
    const sent = outgoing(visitor({ [SIGNALS_HEADER]: "forged" }), on, { row, ageMs: 1_000 });
    expect(sent.headers.get(SIGNALS_HEADER)).toBe("browser_ratio_1h_ppm=121000, age=1");
  });
});

describe("cache", () => {
  it("SIG-4: an entry is given up to the age asked for, its absence too", () => {
    const cache = new SignalsCache();
    expect(cache.get("shop", JA4, 1_000, 60_000)).toBeUndefined();
    cache.set("shop", JA4, row, 1_000);
    cache.set("shop", "unseen", undefined, 1_000);
    expect(cache.get("shop", JA4, 6_000, 5_000)).toEqual({ row, ageMs: 5_000 });
    expect(cache.get("shop", JA4, 6_001, 5_000)).toBeUndefined();
    expect(cache.get("shop", "unseen", 2_000, 5_000)).toEqual({ row: undefined, ageMs: 1_000 });
    expect(cache.get("api", JA4, 2_000, 5_000)).toBeUndefined();
  });

  it("SIG-5: one caller fetches at a time; one that died is replaced after its lease", () => {
    const cache = new SignalsCache();
    expect(cache.claim("shop", JA4, 10_000, 5_000)).toBe(true);
    expect(cache.claim("shop", JA4, 14_999, 5_000)).toBe(false);
    expect(cache.claim("shop", JA4, 15_000, 5_000)).toBe(true);
    cache.set("shop", JA4, row, 16_000);
    expect(cache.claim("shop", JA4, 21_000, 5_000)).toBe(false);
    expect(cache.claim("shop", JA4, 21_001, 5_000)).toBe(true);
    // The old row stays while the new one is on its way.
    expect(cache.get("shop", JA4, 21_001, 60_000)?.row).toBe(row);
  });

  it("SIG-5: what was never fetched is fetched, however old it may be", () => {
    expect(new SignalsCache().claim("shop", JA4, 10_000, Number.POSITIVE_INFINITY)).toBe(true);
  });

  it("SIG-6: the cache is bounded, oldest out first", () => {
    const cache = new SignalsCache();
    for (let i = 0; i <= SIGNALS_CACHE_MAX; i++) cache.set("shop", `${i}`, row, 1);
    expect(cache.get("shop", "0", 1, 1)).toBeUndefined();
    expect(cache.get("shop", "1", 1, 1)?.row).toBe(row);
  });
});

describe("asking", () => {
  /** An isolate whose shards never answer, and whose waits are over at once. */
  function stuck() {
    const waits: number[] = [];
    const isolate = {
      options: parseOptions({ SITES: '{"shop":[]}' }),
      signals: new SignalsCache(),
      objects: { site: () => ({ map: () => new Promise(() => {}) }) },
      now: () => 100_000,
      wait: async (ms: number) => void waits.push(ms),
      log: () => {},
    } as unknown as Isolate;
    const behind: Promise<unknown>[] = [];
    const ask = (site = "shop", maxAgeMs = 5_000) =>
      signalsOf(site, JA4, maxAgeMs, 50, isolate, { waitUntil: (promise) => void behind.push(promise) });
    return { ask, waits, behind, isolate };
  }

  it("SIG-7: a shard that hangs costs the wait and no more; the question goes on behind", async () => {
    const { ask, waits, behind } = stuck();
    expect([await ask(), waits, behind.length]).toEqual([undefined, [50], 1]);
  });

  it("SIG-7: what is known is answered without a wait, with its age", async () => {
    const { ask, waits, isolate } = stuck();
    isolate.signals.set("shop", JA4, row, 97_000);
    expect([await ask(), waits]).toEqual([{ ...row, age_ms: 3_000 }, []]);
  });

  it("SIG-8: an unknown site is not asked for, nor with an age that is none", async () => {
    const { ask, waits, behind } = stuck();
    for (const [site, age] of [
      ["elsewhere", 5_000],
      ["shop", Number.NaN],
      ["shop", -1],
    ] as const) {
      expect(await ask(site, age)).toBeUndefined();
    }
    expect([waits, behind]).toEqual([[], []]);
  });
});
