/** Logpush against the real server: forms of the body, Cloudflare's own upload, repeats, limits. */
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Answer, type Client, createClient, ja4Of } from "../support/client.ts";
import type { FullForm } from "../support/oracle-forms.ts";
import { startServer } from "../support/server.ts";
import { loadOpenApi } from "./helpers/openapi.ts";

const SITE = "shop";
const PATH = `/v1/sites/${SITE}/logpush`;
let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;

beforeAll(async () => {
  server = await startServer({ sites: [SITE] });
  client = createClient(server);
}, 30_000);
afterAll(() => server?.stop());

interface LogpushAnswer {
  accepted: number;
  rejected: number;
  expired: number;
  without_ja4: number;
  skipped: number;
  duplicate?: boolean;
  sampled?: number;
  errors: { index: number; detail: string }[];
}

let nextJa4 = 100;
const freshJa4 = () => ja4Of(nextJa4++);
const ZEROS = { accepted: 0, rejected: 0, expired: 0, without_ja4: 0, skipped: 0, errors: [] };

/** A record as Cloudflare writes it by default, `EdgeStartTimestamp` in ns. */
function record(ja4: string, over: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    EdgeStartTimestamp: (Date.now() - 1_001) * 1e6,
    JA4: ja4,
    ClientIP: "203.0.113.9",
    ClientASN: 64_500,
    ClientRequestHost: "www.example.com",
    ClientRequestMethod: "GET",
    ClientRequestPath: "/cart",
    ClientRequestProtocol: "HTTP/2",
    ClientRequestUserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    EdgeResponseStatus: 200,
    CacheCacheStatus: "dynamic",
    BotScoreSrc: "Machine Learning",
    RayID: "8a1b2c3d4e5f6071",
    ...over,
  };
}
const ndjson = (records: readonly unknown[]) => records.map((one) => `${JSON.stringify(one)}\n`).join("");
const send = (body: string | Uint8Array, headers: Record<string, string> = {}, query = ""): Promise<Answer> =>
  client.post(`${PATH}${query}`, {
    headers,
    body: Uint8Array.from(typeof body === "string" ? Buffer.from(body) : body),
  });
async function taken(sent: Promise<Answer>): Promise<LogpushAnswer> {
  const answer = await sent;
  expect(answer.text).not.toContain('"status"');
  expect(answer.status).toBe(202);
  return answer.json<LogpushAnswer>();
}
const totals = async () =>
  (await client.get(`/v1/sites/${SITE}/summary`)).json<{
    since_start: Record<string, number>;
    sources: Record<string, number>;
  }>();
const reqsOf = async (ja4: string) =>
  (await client.get(`/v1/sites/${SITE}/fingerprints/${ja4}`)).json<FullForm>().windows["1h"].reqs;

describe("logpush", () => {
  it.each([
    ["plain", (text: string) => Buffer.from(text), {}],
    ["gzip by its header", (text: string) => gzipSync(text), { "content-encoding": "gzip" }],
    ["gzip by its first bytes", (text: string) => gzipSync(text), {}],
    [
      "gzip of three members, cut within a line",
      (text: string) =>
        Buffer.concat(
          [text.slice(0, 100), text.slice(100, 333), text.slice(333)].map((part) => gzipSync(part)),
        ),
      {},
    ],
  ])("LOGP-1: a body that is %s counts and reads back at once", async (_name, form, headers) => {
    const ja4 = freshJa4();
    const text = ndjson([record(ja4), record(ja4, { ClientIP: "203.0.113.10" }), record("", {})]);
    expect(await taken(send(form(text), headers))).toEqual({ ...ZEROS, accepted: 3, without_ja4: 1 });
    const answer = await client.get(`/v1/sites/${SITE}/fingerprints/${ja4}`);
    expect(answer.json<FullForm>().windows["1h"]).toMatchObject({ reqs: 2, ips: 2, uas: 1, h2h3_ratio: 1 });
  });

  it("LOGP-2: the upload that Cloudflare tries a destination with is answered with zeros", async () => {
    for (const body of ['{"content":"tests"}', '{"content":"tests"}\n'])
      for (const form of [Buffer.from(body), gzipSync(body)])
        expect(await taken(send(form))).toMatchObject(ZEROS);
  });

  it("LOGP-5: the same body counts once and says so, also when both come at the same time", async () => {
    const ja4 = freshJa4();
    const text = ndjson([record(ja4), record(ja4)]);
    const before = await totals();
    const both = await Promise.all([taken(send(text)), taken(send(text))]);
    expect(both.map(({ duplicate }) => duplicate).sort()).toEqual([true, undefined]);
    expect(both.map(({ accepted }) => accepted)).toEqual([2, 2]);
    expect(await reqsOf(ja4)).toBe(2);
    expect(await taken(send(`${text}\n`))).not.toHaveProperty("duplicate");
    expect(await reqsOf(ja4)).toBe(4);
    const after = await totals();
    expect(after.since_start.duplicate! - before.since_start.duplicate!).toBe(2);
    expect(after.sources.logpush! - (before.sources.logpush ?? 0)).toBe(4);
  });

  it("LOGP-10: with a sample rate each record counts as 1/rate requests, once in distinct counts, and the answer says so", async () => {
    const ja4 = freshJa4();
    const marks = { BotScore: 30, BotDetectionIDs: [7] };
    const records = Array.from({ length: 20 }, (_, i) =>
      record(ja4, { ClientIP: `203.0.113.${i}`, ...marks }),
    );
    expect(await totals()).not.toHaveProperty("sampled");
    const answer = await taken(send(ndjson(records), {}, "?sample_rate=0.1"));
    expect(answer).toEqual({ ...ZEROS, accepted: 20, sampled: 0.1 });
    const form = await client.get(`/v1/sites/${SITE}/fingerprints/${ja4}`);
    expect(form.json<FullForm>().windows["1h"]).toMatchObject({ reqs: 200, ips: 20 });
    // LOGP-11, LOGP-12
    expect(form.json()).toMatchObject({
      sampled: true,
      bot_score: { histogram: [[30, 200]], detection_ids: [[7, 200]] },
    });
    expect(await totals()).toMatchObject({ sampled: true });
    for (const rate of ["0", "2", "-1", "x", "0.0001", "1e-1"]) {
      const refused = await send("", {}, `?sample_rate=${rate}`);
      expect([refused.status, refused.text]).toEqual([400, expect.stringContaining("sample_rate")]);
    }
  });

  it("LOGP-7: a wrong field is dropped and counted, a wrong record is rejected, a subrequest skipped", async () => {
    const ja4 = freshJa4();
    const before = (await totals()).since_start.fields_dropped!;
    const records = [
      record(ja4, { ClientIP: "nobody", EdgeResponseStatus: "200", BotScore: 100, ClientASN: -1 }),
      record(ja4, { WorkerSubrequest: true }),
      record(ja4, { WorkerSubrequest: false, EdgeStartTimestamp: (Date.now() - 2 * 3_600_000) * 1e6 }),
      record("t13d", {}),
      { JA4: ja4 },
    ];
    const answer = await taken(send(`${ndjson(records)}{"broken\n\n`));
    expect(answer).toMatchObject({ accepted: 2, rejected: 2, expired: 1, skipped: 1, without_ja4: 1 });
    expect(answer.errors.map(({ index }) => index)).toEqual([4, 5]);
    expect((await totals()).since_start.fields_dropped! - before).toBe(5);
  });

  it.each([
    ["truncated gzip", gzipSync(ndjson([record(ja4Of(1))])).subarray(0, -5), {}, 400],
    ["what claims to be gzip", Buffer.from(ndjson([record(ja4Of(1))])), { "content-encoding": "gzip" }, 400],
    [
      "garbage after a member",
      Buffer.concat([gzipSync(ndjson([record(ja4Of(1))])), Buffer.from("x")]),
      {},
      400,
    ],
    ["another encoding", Buffer.from("{}"), { "content-encoding": "br" }, 415],
    [
      "a line of more than a MiB",
      Buffer.from(`${ndjson([record(ja4Of(1))])}"${"x".repeat(1_048_577)}"`),
      {},
      413,
    ],
    ["more than a million records", gzipSync("{}\n".repeat(1_000_001)), {}, 413],
  ])("LOGP-8: %s is refused as a whole, and nothing of it counts", async (_name, body, headers, status) => {
    const before = (await totals()).since_start;
    const answer = await send(body, headers);
    expect(answer.status).toBe(status);
    expect((await totals()).since_start).toEqual(before);
  });

  it("LOGP-9: every answer fits the document", async () => {
    const openapi = await loadOpenApi(client);
    const mine = client.answers.filter(({ path }) => path.startsWith(PATH));
    expect(mine.length).toBeGreaterThan(10);
    expect(mine.flatMap((answer) => openapi.faults(answer))).toEqual([]);
  });
});
