/** The table of observation fields, one value a case: what counts, what is rejected, what only counts as unknown. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Client,
  createClient,
  fullForm,
  type IngestAnswer,
  ingest,
  ingestAll,
  ja4Of,
} from "../support/client.ts";
import { startServer } from "../support/server.ts";
import { answerFaults } from "./helpers/openapi.ts";

const SITE = "shop";
const JA4 = ja4Of(1);
let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;

beforeAll(async () => {
  server = await startServer({ sites: [SITE] });
  client = createClient(server);
}, 30_000);
afterAll(() => server?.stop());

const now = (): number => Date.now() - 1_001;

async function outcome(record: unknown): Promise<IngestAnswer> {
  const answer = await ingest(client, SITE, [record]);
  expect(answer.status).toBe(202);
  return answer.json<IngestAnswer>();
}

const LONG_OK = "x".repeat(8_192);
const LONG_BAD = "x".repeat(8_193);

/** Field, values that count, values that cost the record. */
const FIELD_CASES: readonly [field: string, good: readonly unknown[], bad: readonly unknown[]][] = [
  [
    "ja4",
    [
      "t13d1516h2_8daaf6152771_02713d6af862",
      "q13d0312h3_55b375c5d22e_5a06198afb93",
      "t10d230100_6a57a6f57151_000000000000",
      "ts2i0303Zz_0123456789ab_cdef01234567",
      "dd1d120000_0123456789ab_cdef01234567",
      `x${"0123456789abcdef01234567"}`,
    ],
    [
      "T13d1516h2_8daaf6152771_02713d6af862",
      "t13d1516h2_8DAAF6152771_02713d6af862",
      "t13d1516h2_8daaf6152771_02713d6af862 ",
      "t13d1516h2_8daaf6152771",
      "z13d1516h2_8daaf6152771_02713d6af862",
      `x${"0123456789abcdef0123456"}`,
      "t13d1516h2_8daaf6152771_02713d6af862\n",
      17,
      {},
      ["t13d1516h2_8daaf6152771_02713d6af862"],
    ],
  ],
  [
    "client_ip",
    ["192.0.2.1", "255.255.255.255", "::1", "2001:db8::1", "2001:DB8:0:0:0:0:0:1"],
    [
      "1.2.3",
      "1.2.3.4.5",
      "1.2.3.256",
      "1.2.3.4/24",
      "host.example",
      ":::1",
      "2001:db8::1::2",
      "0x7f.1",
      16,
      {},
    ],
  ],
  ...["user_agent", "path", "host", "method"].map((field): [string, unknown[], unknown[]] => [
    field,
    ["a", LONG_OK],
    [LONG_BAD, 5, true, {}, ["a"]],
  ]),
  ["asn", [0, 15_169, 4_294_967_295], [-1, 4_294_967_296, 1.5, "15169", true]],
  ["http_protocol", ["HTTP/1.0", "http/1.1", "HTTP/2", "HTTP/2.0", "hTTp/3", "HTTP/3.0", "SPDY/3"], [2, {}]],
  ["status", [100, 200, 599], [99, 600, 0, 200.5, "200", true]],
  ["cache_status", ["hit", "HIT", "Dynamic", "none"], [1, {}, true]],
  ["bot_score", [0, 1, 99], [-1, 100, 1.5, "30"]],
  ["bot_score_src", ["Heuristics", "machine learning", "Not Computed", "Verified Bot"], [1, {}]],
  ["detection_ids", [[], {}, [1], [152_120_193, 2]], [[1.5], ["1"], "1", 5, true, [[1]]]],
  ["verified_bot", [true, false], ["true", 1, 0, {}]],
  ["ja4_signals", [{}, { h2h3_ratio_1h: 0.5 }, { anything: "else" }], [5, "x", true]],
  ["ray_id", ["a", "r".repeat(64)], ["r".repeat(65), 7, {}]],
];

describe("the fields of an observation", () => {
  it.each(FIELD_CASES)("ING-1: %s within its type and range is accepted", async (field, good) => {
    const records = good.map((value) => ({ timestamp: now(), ja4: JA4, [field]: value }));
    const answer = (await ingest(client, SITE, records)).json<IngestAnswer>();
    expect(answer.errors).toEqual([]);
    expect(answer.accepted).toBe(good.length);
  });

  it.each(FIELD_CASES)(
    "ING-2: %s of a wrong type or range rejects its record alone",
    async (field, _good, bad) => {
      const wrong = bad.map((value) => ({ timestamp: now(), ja4: JA4, [field]: value }));
      const right = { timestamp: now(), ja4: JA4 };
      const answer = (await ingest(client, SITE, [right, ...wrong, right])).json<IngestAnswer>();
      const accepted = wrong.filter((_, i) => !answer.errors.some((error) => error.index === i + 1));
      expect(accepted).toEqual([]);
      expect([answer.accepted, answer.rejected, answer.expired]).toEqual([2, bad.length, 0]);
      expect(answer.errors.every((error) => typeof error.detail === "string" && error.detail !== "")).toBe(
        true,
      );
    },
  );

  it.each(FIELD_CASES.map(([field]) => field))(
    "ING-3: %s absent, null and empty are the same",
    async (field) => {
      const base = { timestamp: now(), ja4: JA4 };
      const records = [
        { ...base, [field]: null },
        { ...base, [field]: "" },
      ];
      for (const format of ["ndjson", "json", "msgpack"] as const) {
        const answer = (await ingest(client, SITE, records, { format })).json<IngestAnswer>();
        expect(answer.errors).toEqual([]);
        expect([answer.accepted, answer.without_ja4]).toEqual([2, field === "ja4" ? 2 : 0]);
      }
    },
  );

  it("ING-4: absent, null and empty read back as unknown, never as 0", async () => {
    const ja4 = ja4Of(2);
    await ingestAll(client, SITE, [
      { timestamp: now(), ja4 },
      { timestamp: now(), ja4, status: null, user_agent: null, cache_status: null, verified_bot: null },
      { timestamp: now(), ja4, status: "", user_agent: "", http_protocol: "", detection_ids: "" },
      { timestamp: now(), ja4, http_protocol: "SPDY/3", cache_status: "none", bot_score_src: "Not Computed" },
    ]);
    const hour = (await fullForm(client, SITE, ja4)).windows["1h"];
    expect(hour.reqs).toBe(4);
    expect(Object.keys(hour).filter((key) => key.endsWith("_ratio"))).toEqual([]);
  });

  it("ING-5: unknown keys are ignored, `__proto__` and `constructor` among them", async () => {
    const ja4 = ja4Of(3);
    const line = `{"timestamp":${now()},"ja4":"${ja4}","__proto__":{"status":500,"polluted":1},"constructor":{"prototype":{"status":500}},"toString":1,"zzz":[{}]}`;
    const answer = await client.post(`/v1/sites/${SITE}/observations`, {
      headers: { "content-type": "application/x-ndjson" },
      body: `${line}\n`,
    });
    expect(answer.json<IngestAnswer>().accepted).toBe(1);
    const form = await fullForm(client, SITE, ja4);
    expect(form.windows["1h"].error_ratio).toBeUndefined();
    expect((await outcome({ timestamp: now(), ja4: JA4 })).accepted).toBe(1);
  });

  it("ING-6: a pseudo fingerprint is kept and says that it comes from TLS", async () => {
    const ja4 = `x${"ab".repeat(12)}`;
    await ingestAll(client, SITE, [{ timestamp: now(), ja4 }]);
    expect((await fullForm(client, SITE, ja4)).source).toBe("tls");
    expect((await fullForm(client, SITE, JA4)).source).toBeUndefined();
  });

  it("ING-7: signals that are not finite numbers are dropped one by one, unknown names and all", async () => {
    const ja4 = ja4Of(4);
    const ja4_signals = {
      h2h3_ratio_1h: 0.25,
      browser_ratio_1h: "0.5",
      reqs_rank_1h: null,
      cache_ratio_1h: {},
      nope: 3,
    };
    await ingestAll(client, SITE, [{ timestamp: now(), ja4, ja4_signals }]);
    const global = (await fullForm(client, SITE, ja4)).global ?? {};
    expect(Object.keys(global).sort()).toEqual(["h2h3_ratio_1h", "seen_at"]);
    expect(global.h2h3_ratio_1h).toBe(0.25);
  });

  it("ING-8: NaN and Infinity in msgpack signals are dropped too", async () => {
    const ja4 = ja4Of(5);
    const ja4_signals = {
      h2h3_ratio_1h: Number.NaN,
      cache_ratio_1h: Number.POSITIVE_INFINITY,
      ips_rank_1h: 12,
    };
    await ingestAll(client, SITE, [{ timestamp: now(), ja4, ja4_signals }], { format: "msgpack" });
    const global = (await fullForm(client, SITE, ja4)).global ?? {};
    expect(Object.keys(global).sort()).toEqual(["ips_rank_1h", "seen_at"]);
  });

  it("ING-9: the grouped form of the signals says the same", async () => {
    const ja4 = ja4Of(6);
    const ja4_signals = {
      ratios: { h2h3_ratio_1h: 0.988, browser_ratio_1h: 0.936 },
      ranks: { reqs_rank_1h: 850 },
      quantiles: { reqs_quantile_1h: 0.99905741214752 },
    };
    await ingestAll(client, SITE, [{ timestamp: now(), ja4, ja4_signals }]);
    const { population, seen_at, ...rest } = (await fullForm(client, SITE, ja4)).global ?? {};
    expect(rest).toEqual({ ...ja4_signals.ratios, ...ja4_signals.ranks, ...ja4_signals.quantiles });
    expect(Math.abs(Number(population) / 901_772 - 1)).toBeLessThan(0.001);
    expect(seen_at).toBeTypeOf("string");
  });

  it("ING-10: signals of an observation without JA4 are ignored, the observation is not", async () => {
    const answer = await outcome({ timestamp: now(), ja4_signals: { h2h3_ratio_1h: 0.5 } });
    expect([answer.accepted, answer.without_ja4]).toEqual([1, 1]);
  });

  it("ING-11: IPv6 counts by /64, IPv4 by address", async () => {
    const ja4 = ja4Of(7);
    const ips = [
      "2001:db8:1:2::1",
      "2001:db8:1:2:ffff::9",
      "2001:DB8:0001:0002::3",
      "2001:db8:1:3::1",
      "192.0.2.1",
      "192.0.2.2",
    ];
    await ingestAll(
      client,
      SITE,
      ips.map((client_ip) => ({ timestamp: now(), ja4, client_ip })),
    );
    expect((await fullForm(client, SITE, ja4)).windows["1h"].ips).toBe(4);
  });

  it("API-2: every answer of this file is as /openapi.json describes it", async () => {
    expect((await answerFaults(client)).slice(0, 10)).toEqual([]);
  });
});
