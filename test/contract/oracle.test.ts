/** 24,000 seeded observations against a brute-force count: the whole way in, four shards, all windows and ranks. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type BodyFormat,
  type Client,
  createClient,
  fullForm,
  ingestAll,
  nullsIn,
  summaryOf,
  until,
} from "../support/client.ts";
import {
  between,
  byFingerprint,
  expectedDistinct,
  expectedRatio,
  formFaults,
  globalFaults,
  rankFaults,
  timeOf,
  WINDOWS,
} from "../support/oracle.ts";
import type { FullForm, ListAnswer, ListRow } from "../support/oracle-forms.ts";
import { createRandom, makeTraffic, type Observation, type Traffic } from "../support/oracle-traffic.ts";
import { startServer } from "../support/server.ts";
import { answerFaults } from "./helpers/openapi.ts";

const SEED = 20_261_123;
const OBSERVATIONS = 24_000;
const FINGERPRINTS = 400;
const SITE = "shop";

let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;
let traffic: Traffic;
let groups: Map<string, Observation[]>;
let forms: FullForm[];

/** Uneven pieces, each in another format, some gzipped, three at a time. */
async function sendInPieces(observations: readonly Observation[]): Promise<void> {
  const random = createRandom(SEED + 1);
  const pieces: Observation[][] = [];
  for (let rest = random.shuffle(observations); rest.length > 0; ) {
    pieces.push(rest.slice(0, 400 + random.int(2_600)));
    rest = rest.slice(pieces.at(-1)?.length);
  }
  const formats: readonly BodyFormat[] = ["ndjson", "json", "msgpack"];
  const queue = pieces.entries();
  const sender = async (): Promise<void> => {
    for (const [index, piece] of queue) {
      const answer = await ingestAll(client, SITE, piece, {
        format: formats[index % 3] as BodyFormat,
        gzip: index % 2 === 1,
      });
      expect(answer.without_ja4).toBe(piece.filter((one) => !one.ja4).length);
    }
  };
  await Promise.all([sender(), sender(), sender()]);
}

async function lookupAll(ja4: readonly string[]): Promise<FullForm[]> {
  const found: FullForm[] = [];
  for (let start = 0; start < ja4.length; start += 100) {
    const answer = await client.post(`/v1/sites/${SITE}/fingerprints/lookup`, {
      json: { ja4: ja4.slice(start, start + 100) },
    });
    expect(answer.status).toBe(200);
    const body = answer.json<{ fingerprints: FullForm[]; missing: string[] }>();
    expect(body.missing).toEqual([]);
    found.push(...body.fingerprints);
  }
  return found;
}

async function listAll(query: string): Promise<ListRow[]> {
  const rows: ListRow[] = [];
  let cursor: string | undefined = "";
  for (let page = 0; cursor !== undefined && page < 100; page += 1) {
    const next: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const answer = await client.get(`/v1/sites/${SITE}/fingerprints?${query}${next}`);
    expect(answer.status).toBe(200);
    const body = answer.json<ListAnswer>();
    expect(nullsIn(body)).toEqual([]);
    rows.push(...body.fingerprints);
    cursor = body.next_cursor;
  }
  return rows;
}

beforeAll(async () => {
  server = await startServer({ sites: [SITE], shards: 4 });
  client = createClient(server);
  traffic = makeTraffic({
    seed: SEED,
    now: Date.now(),
    fingerprints: FINGERPRINTS,
    observations: OBSERVATIONS,
  });
  groups = byFingerprint(traffic.observations);
  await sendInPieces(traffic.observations);
  const sent = Date.now();
  // Each fingerprint's own shard says how old its ranks are: all must be later than the last write.
  forms = await until("ranks later than the last write", 20_000, async () => {
    const all = await lookupAll(traffic.fingerprints);
    return all.every((form) => Date.parse(form.ranks_as_of ?? "") > sent) ? all : undefined;
  });
}, 60_000);

afterAll(() => server?.stop());

describe(`seed ${SEED}: ${OBSERVATIONS} observations of ${FINGERPRINTS} fingerprints`, () => {
  it("READ-1: every count, ratio and distinct count of every window is as counted by hand", () => {
    expect(forms.length).toBe(FINGERPRINTS);
    const faults = forms.flatMap((form) => formFaults(form, groups.get(form.ja4) ?? []));
    expect(faults.slice(0, 20)).toEqual([]);
  });

  it("READ-2: distinct counts above 256 have a standard error of at most 3 %", () => {
    const errors = forms.flatMap((form) => {
      const own = groups.get(form.ja4) ?? [];
      return (["ips", "paths"] as const).flatMap((kind) => {
        const expected = expectedDistinct(own, kind);
        return expected > 256 ? [Number(form.windows["1h"][kind]) / expected - 1] : [];
      });
    });
    expect(errors.length).toBeGreaterThan(5);
    const rms = Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0) / errors.length);
    // Few samples: the mean square of `n` errors itself spreads by about √(2/n).
    expect(rms).toBeLessThan(0.03 * (1 + 2 * Math.sqrt(2 / errors.length)));
  });

  it("READ-3: global signals are the ones sent, with the population that follows from them", () => {
    expect(forms.flatMap((form) => globalFaults(form, groups.get(form.ja4) ?? [])).slice(0, 20)).toEqual([]);
    expect(forms.some((form) => form.global?.seen_at !== undefined)).toBe(true);
  });

  it("READ-4: one fingerprint read alone is the same as in a lookup, with its WAF expression", async () => {
    const ja4 = traffic.fingerprints[7] as string;
    const alone = await fullForm(client, SITE, ja4);
    expect(alone.site).toBe(SITE);
    expect(alone.waf_expression).toBe(`cf.bot_management.ja4 eq "${ja4}"`);
    const looked = forms.find((form) => form.ja4 === ja4);
    expect(Object.keys(alone).sort()).toEqual(Object.keys(looked ?? {}).sort());
    expect(formFaults(alone, groups.get(ja4) ?? [])).toEqual([]);
  });

  it("RANK-1: ranks, quantiles and population are exact over all fingerprints of all shards", () => {
    expect(rankFaults(forms).slice(0, 20)).toEqual([]);
  });

  it("LOOK-1: lookup names what it did not find and refuses more than 100", async () => {
    const known = traffic.fingerprints[0] as string;
    const unseen = "t13d1516h2_ffffffffffff_ffffffffffff";
    const path = `/v1/sites/${SITE}/fingerprints/lookup`;
    const answer = await client.post(path, { json: { ja4: [unseen, known] } });
    const body = answer.json<{ fingerprints: FullForm[]; missing: string[] }>();
    expect(body.missing).toEqual([unseen]);
    expect(body.fingerprints.map((form) => form.ja4)).toEqual([known]);
    const many = Array.from({ length: 101 }, () => known);
    expect([400, 422]).toContain((await client.post(path, { json: { ja4: many } })).status);
  });

  it.each(["reqs", "ips", "uas", "paths", "last_seen"] as const)(
    "LIST-1: sorted by %s, both ways, every fingerprint comes exactly once over the pages",
    async (sort) => {
      for (const order of ["desc", "asc"] as const) {
        const rows = await listAll(`sort=${sort}&order=${order}&window=1h&limit=150`);
        expect(rows.map((row) => row.ja4).sort()).toEqual(traffic.fingerprints);
        const sign = order === "desc" ? -1 : 1;
        const values = rows.map((row) => (sort === "last_seen" ? Date.parse(row.last_seen) : row[sort]));
        expect(values).toEqual([...values].sort((a, b) => sign * (a - b)));
      }
    },
  );

  it("LIST-2: the rows' numbers are those of the hour; by default 50, most requests first", async () => {
    const rows = await listAll("limit=1000");
    const byJa4 = new Map(forms.map((form) => [form.ja4, form]));
    for (const row of rows) {
      const hour = byJa4.get(row.ja4)?.windows["1h"];
      const { reqs, ips, uas, paths, browser_ratio } = row;
      const expected = [hour?.reqs, hour?.ips, hour?.uas, hour?.paths, hour?.browser_ratio];
      expect([reqs, ips, uas, paths, browser_ratio]).toEqual(expected);
    }
    const first = (await client.get(`/v1/sites/${SITE}/fingerprints`)).json<ListAnswer>();
    expect(first.fingerprints.length).toBe(50);
    expect(first.next_cursor).toBeTypeOf("string");
    expect(first.fingerprints.map((row) => row.reqs)).toEqual(rows.slice(0, 50).map((row) => row.reqs));
  });

  it("LIST-3: window=5m counts that window", async () => {
    const answer = await client.get(`/v1/sites/${SITE}/fingerprints?window=5m&sort=reqs&limit=1000`);
    const body = answer.json<ListAnswer>();
    const to = Date.parse(body.as_of);
    for (const row of body.fingerprints) {
      const own = groups.get(row.ja4) ?? [];
      expect(row.reqs).toBeGreaterThanOrEqual(between(own, to - 300_000, to).length);
      expect(row.reqs).toBeLessThanOrEqual(between(own, to - 305_000, to).length);
    }
    expect(body.fingerprints.some((row) => row.reqs > 0)).toBe(true);
  });

  it.each(["t13d*", "*_*_*0", "q13d0312h3_*", "*"])(
    "LIST-4: ja4=%s keeps what the glob keeps",
    async (glob) => {
      const rows = await listAll(`limit=1000&ja4=${encodeURIComponent(glob)}`);
      const pattern = new RegExp(`^${glob.replaceAll("*", ".*")}$`);
      const expected = traffic.fingerprints.filter((ja4) => pattern.test(ja4));
      expect(rows.map((row) => row.ja4).sort()).toEqual(expected);
    },
  );

  it.each(["limit=0", "limit=1001", "limit=x", "sort=nope", "order=up", "window=2m", "cursor=%00"])(
    "LIST-5: %s is refused with 400",
    async (query) => {
      expect((await client.get(`/v1/sites/${SITE}/fingerprints?${query}`)).status).toBe(400);
    },
  );

  it("SUM-1: the summary counts requests with and without JA4 in each window, and what was accepted", async () => {
    const summary = await summaryOf(client, SITE);
    const to = Date.parse(summary.as_of);
    for (const name of WINDOWS) {
      const window = summary.windows[name];
      const inside = between(traffic.observations, Date.parse(window.from), to);
      const without = inside.filter((one) => !one.ja4).length;
      expect({ name, reqs: window.reqs, without: window.without_ja4 }).toEqual({
        name,
        reqs: inside.length,
        without,
      });
      const seen = new Set(inside.flatMap((one) => (one.ja4 ? [one.ja4] : [])));
      expect({ name, fingerprints: window.fingerprints }).toEqual({ name, fingerprints: seen.size });
      expect(Number.isInteger(window.without_signals)).toBe(true);
    }
    expect(summary.since_start.accepted).toBe(OBSERVATIONS);
    expect(summary.since_start.rejected ?? 0).toBe(0);
    expect(summary.shards.length).toBe(4);
    const total = summary.shards.reduce((sum, shard) => sum + shard.fingerprints, 0);
    expect(total).toBe(FINGERPRINTS);
    expect(nullsIn(summary)).toEqual([]);
  });

  it("CONTROL-1: the oracle itself tells a wrong count from a right one", () => {
    const busiest = [...groups].filter(([ja4]) => ja4).sort((a, b) => b[1].length - a[1].length)[0];
    const own = busiest?.[1] ?? [];
    const form = forms.find((one) => one.ja4 === busiest?.[0]) as FullForm;
    const twice = own[0] as Observation;
    expect(formFaults(form, [...own, twice]).length).toBeGreaterThan(0);
    expect(expectedRatio(own, "error_ratio")).toBeGreaterThan(0);
    expect(own.every((one) => timeOf(one) > 0)).toBe(true);
  });

  it("API-2: every answer of this file is as /openapi.json describes it", async () => {
    expect((await answerFaults(client)).slice(0, 10)).toEqual([]);
  });
});
