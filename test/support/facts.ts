/** Reads facts as the edge does, of a request and a response that a test makes up. */
import { Exchange } from "../../src/edge/exchange.ts";
import { type FactsOptions, recordOf } from "../../src/edge/facts.ts";

export const NOW_MS = Date.UTC(2026, 10, 23, 12);
export interface Seen {
  readonly cf?: unknown;
  readonly url?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly status?: number;
  readonly answered?: Readonly<Record<string, string>>;
}

/** Like `Headers`, but takes any text, so that the tests reach past what the platform lets through. */
export const headersOf = (values: Readonly<Record<string, string>> = {}) => ({
  get: (name: string) => (Object.hasOwn(values, name) ? values[name]! : null),
});

/** One for all of them, as at the edge: nothing of one exchange may show in the next. */
const exchange = new Exchange();

export function readSeen(seen: Seen, options: FactsOptions = {}) {
  const { cf, url = "https://www.shop.example/", method = "GET", status = 200 } = seen;
  const request = { method, url, headers: headersOf(seen.headers), cf };
  const response = { status, headers: headersOf(seen.answered) };
  exchange.read(request, response, options.nowMs ?? NOW_MS, options);
  return { record: recordOf(exchange), dropped: exchange.dropped };
}

/**
 * Ten real objects of Cloudflare's Bot Management, three of them from its documentation and seven from public logs:
 * full, partial and empty signals, `detectionIds` as a list and as `{}`, some without a JA4.
 * https://developers.cloudflare.com/bots/additional-configurations/ja3-ja4-fingerprint/signals-intelligence/
 */
export interface RealBotManagement {
  readonly ja4: string | null;
  readonly score?: number;
  readonly detectionIds?: readonly number[] | Readonly<Record<string, never>>;
  readonly ja4Signals: Readonly<Record<string, number>>;
}

export const REAL_BOT_MANAGEMENT: readonly RealBotManagement[] = [
  {
    ja4: "t13d1512h2_8daaf6152771_ef7df7f74e48",
    score: 99,
    detectionIds: {},
    ja4Signals: {
      h2h3_ratio_1h: 0.98670762777328,
      heuristic_ratio_1h: 0,
      reqs_quantile_1h: 0.99785631895065,
      uas_rank_1h: 1030,
      browser_ratio_1h: 0.95027899742126,
      paths_rank_1h: 699,
      reqs_rank_1h: 1156,
      cache_ratio_1h: 0.38930341601372,
      ips_rank_1h: 730,
      ips_quantile_1h: 0.99864625930786,
    },
  },
  {
    ja4: null,
    ja4Signals: {
      h2h3_ratio_1h: 0.98826485872269,
      heuristic_ratio_1h: 7.288895722013e-5,
      reqs_quantile_1h: 0.99905741214752,
      uas_rank_1h: 901,
      browser_ratio_1h: 0.93640440702438,
      paths_rank_1h: 655,
      reqs_rank_1h: 850,
      cache_ratio_1h: 0.18918327987194,
      ips_rank_1h: 662,
      ips_quantile_1h: 0.99926590919495,
    },
  },
  {
    ja4: "t13d5312h1_ed6c8d7875f9_5604d150ced5",
    score: 1,
    detectionIds: [152120193],
    ja4Signals: {
      browser_ratio_1h: 0.023396424949169,
      cache_ratio_1h: 0.13126176595688,
      h2h3_ratio_1h: 0,
      heuristic_ratio_1h: 0.0072641232982278,
      ips_quantile_1h: 0.99971556663513,
      ips_rank_1h: 239,
      paths_rank_1h: 203,
      reqs_quantile_1h: 0.99981909990311,
      reqs_rank_1h: 152,
      uas_rank_1h: 255,
    },
  },
  {
    ja4: "t13d5912h1_a33745022dd6_dbd39dd1d406",
    score: 5,
    detectionIds: [],
    ja4Signals: {
      browser_ratio_1h: 0.023358112201095,
      cache_ratio_1h: 0.096206642687321,
      h2h3_ratio_1h: 0.0087053598836064,
      heuristic_ratio_1h: 0.046240977942944,
      ips_quantile_1h: 0.99975997209549,
      ips_rank_1h: 193,
      paths_rank_1h: 90,
      reqs_quantile_1h: 0.99991172552109,
      reqs_rank_1h: 71,
      uas_rank_1h: 164,
    },
  },
  {
    ja4: "t13d1517h2_8daaf6152771_b6f405a00624",
    score: 98,
    detectionIds: [],
    ja4Signals: {
      browser_ratio_1h: 0.93220806121826,
      cache_ratio_1h: 0.30670100450516,
      h2h3_ratio_1h: 0.96642166376114,
      heuristic_ratio_1h: 0.0013705776073039,
      ips_quantile_1h: 0.9999868273735,
      ips_rank_1h: 6,
      paths_rank_1h: 5,
      reqs_quantile_1h: 0.99998903274536,
      reqs_rank_1h: 5,
      uas_rank_1h: 7,
    },
  },
  {
    ja4: "t13d1511h2_8daaf6152771_78e6aca7449b",
    detectionIds: {},
    ja4Signals: {
      h2h3_ratio_1h: 0.99826270341873,
      heuristic_ratio_1h: 0,
      reqs_quantile_1h: 0.99951106309891,
      uas_rank_1h: 777,
      browser_ratio_1h: 0.049353156238794,
      paths_rank_1h: 811,
      reqs_rank_1h: 260,
      cache_ratio_1h: 0.11496262997389,
      ips_rank_1h: 621,
      ips_quantile_1h: 0.99883222579956,
    },
  },
  {
    ja4: null,
    score: 46,
    ja4Signals: {
      browser_ratio_1h: 0.0026,
      cache_ratio_1h: 0.0389,
      h2h3_ratio_1h: 0.9899,
      heuristic_ratio_1h: 0.2229,
      ips_quantile_1h: 0.9997,
      ips_rank_1h: 218,
      paths_rank_1h: 16,
      reqs_quantile_1h: 0.9999,
      reqs_rank_1h: 36,
      uas_rank_1h: 294,
    },
  },
  {
    ja4: "q13d0312h3_55b375c5d22e_5a06198afb93",
    score: 99,
    ja4Signals: {
      ips_rank_1h: 18,
      uas_rank_1h: 12,
      reqs_rank_1h: 19,
      h2h3_ratio_1h: 0.94119173,
      paths_rank_1h: 25,
      cache_ratio_1h: 0.37193793,
    },
  },
  {
    ja4: "t13d3012h2_1d37bd780c83_882d495ac381",
    score: 99,
    ja4Signals: {
      h2h3_ratio_1h: 0.997,
      browser_ratio_1h: 0.045,
      reqs_rank_1h: 246,
    },
  },
  {
    ja4: "t13d1511h2_8daaf6152771_78e6aca7449b",
    ja4Signals: {},
  },
];
