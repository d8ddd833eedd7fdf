/** The rest of reading, as users see it: timeline, relatives, families, names, blast radius. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Client, createClient, fingerprintPath, ingestAll, problemFaults } from "../support/client.ts";
import { startServer } from "../support/server.ts";
import { answerFaults } from "./helpers/openapi.ts";

const SITE = "shop";
const CHROMIUM = "t13d1516h2_8daaf6152771_02713d6af862";
const CURL = "t13d3112h2_e8f1e7e78f70_b26ce05bbdd6";
const SIBLING = "t13d1516h2_8daaf6152771_e5627efa2ab1";
const PSEUDO = "x0123456789abcdef01234567";
const BROWSER =
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36";

let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;
let minute: number;

beforeAll(async () => {
  server = await startServer({ sites: [SITE] });
  client = createClient(server);
  minute = Math.floor(Date.now() / 60_000);
  const seen = (ja4: string | undefined, back: number, n: number, user_agent: string) =>
    Array.from({ length: n }, (_, i) => ({
      timestamp: (minute - back) * 60_000 + 1_000 + i * 100,
      ...(ja4 === undefined ? {} : { ja4 }),
      client_ip: `192.0.2.${i % 8}`,
      user_agent,
      path: `/${i % 5}`,
      status: i % 4 === 0 ? 500 : 200,
    }));
  await ingestAll(client, SITE, [
    // The newest first, on purpose.
    ...seen(CHROMIUM, 2, 40, BROWSER).slice(30),
    ...seen(CHROMIUM, 7, 20, BROWSER),
    ...seen(SIBLING, 7, 12, BROWSER),
    ...seen(CURL, 3, 8, "curl/8.5.0"),
    ...seen(PSEUDO, 3, 4, "curl/8.5.0"),
    ...seen(undefined, 3, 16, "curl/8.5.0"),
  ]);
  // What comes in several calls lies in several rows of the log.
  const rest = seen(CHROMIUM, 2, 40, BROWSER).slice(0, 30);
  for (let from = 0; from < rest.length; from += 6) await ingestAll(client, SITE, rest.slice(from, from + 6));
}, 30_000);
afterAll(() => server?.stop());

describe("the timeline", () => {
  interface Row {
    from: string;
    reqs: number;
  }

  it("TIMELINE-2: has each minute's own numbers", async () => {
    const answer = await client.get(`${fingerprintPath(SITE, CHROMIUM)}/timeline`);
    expect(answer.status).toBe(200);
    const { ja4, minutes } = answer.json<{ ja4: string; minutes: Row[] }>();
    expect([ja4, minutes.length]).toEqual([CHROMIUM, 60]);
    const busy = minutes.filter(({ reqs }) => reqs > 0);
    expect(busy).toEqual(
      [7, 2].map((back) => ({
        from: new Date((minute - back) * 60_000).toISOString(),
        reqs: back === 7 ? 20 : 40,
        ips: 8,
        uas: 1,
        paths: 5,
        error_ratio: 0.25,
      })),
    );
    expect(minutes.filter(({ reqs }) => reqs === 0).map((row) => Object.keys(row))).toEqual(
      Array.from({ length: 58 }, () => ["from", "reqs"]),
    );
  });

  it("TIMELINE-6: of an unseen fingerprint is 404, of none 400; so are relatives", async () => {
    for (const what of ["timeline", "related"]) {
      const unseen = fingerprintPath(SITE, "t13d1516h2_ffffffffffff_ffffffffffff");
      expect(problemFaults(await client.get(`${unseen}/${what}`), 404)).toEqual([]);
      expect(problemFaults(await client.get(`${fingerprintPath(SITE, "chrome")}/${what}`), 400)).toEqual([]);
    }
  });
});

describe("relatives and families", () => {
  it("REL-1: those with the same part are there in the short form", async () => {
    const answer = await client.get(`${fingerprintPath(SITE, CHROMIUM)}/related`);
    const { same } = answer.json<{ same: Record<"a" | "b" | "c", { ja4: string; reqs: number }[]> }>();
    expect(same.a).toMatchObject([{ ja4: SIBLING, reqs: 12, ips: 8, uas: 1, browser_ratio: 1, names: [] }]);
    expect(same.b).toEqual(same.a);
    expect(same.c).toEqual([]);
    expect((await client.get(`${fingerprintPath(SITE, PSEUDO)}/related`)).json()).toEqual({
      same: { a: [], b: [], c: [] },
    });
  });

  it("FAM-1: families are those of the whole site", async () => {
    const answer = await client.get(`/v1/sites/${SITE}/families?part=b`);
    expect(answer.json()).toEqual({
      families: [
        { part: "b", value: "8daaf6152771", reqs_1h: 72, fingerprints_1h: 2, newborn_1m: 0 },
        { part: "b", value: "e8f1e7e78f70", reqs_1h: 8, fingerprints_1h: 1, newborn_1m: 0 },
      ],
    });
  });

  it("FAM-2: pages are linked", async () => {
    const first = await client.get(`/v1/sites/${SITE}/families?part=a&limit=1`);
    const { families, next_cursor } = first.json<{ families: unknown[]; next_cursor: string }>();
    expect(families).toHaveLength(1);
    const next = `/v1/sites/${SITE}/families?part=a&limit=1&cursor=${next_cursor}`;
    expect(first.headers.get("link")).toBe(`<${next}>; rel="next"`);
    const second = await client.get(next);
    expect(second.json()).toEqual({
      families: [{ part: "a", value: "t13d3112h2", reqs_1h: 8, fingerprints_1h: 1, newborn_1m: 0 }],
    });
    const foreign = await client.get(`/v1/sites/${SITE}/families?part=b&cursor=${next_cursor}`);
    expect(problemFaults(foreign, 400)).toEqual([]);
  });

  it.each(["", "?part=d", "?part=a&limit=0", "?part=a&limit=1001", "?part=a&cursor=x"])(
    "FAM-3: families%s is 400",
    async (query) => {
      expect(problemFaults(await client.get(`/v1/sites/${SITE}/families${query}`), 400)).toEqual([]);
    },
  );
});

describe("forms and rows", () => {
  const chromium = [{ name: "Chromium", source: "FoxIO mapping", confidence: "low" }];

  it("NAME-1: carry names, or an empty list", async () => {
    const { fingerprints } = (await client.get(`/v1/sites/${SITE}/fingerprints`)).json<{
      fingerprints: { ja4: string; names: unknown }[];
    }>();
    expect(fingerprints.map(({ ja4, names }) => [ja4, names])).toEqual([
      [CHROMIUM, chromium],
      [SIBLING, []],
      [CURL, []],
      [PSEUDO, []],
    ]);
    expect((await client.get(fingerprintPath(SITE, CHROMIUM))).json()).toMatchObject({ names: chromium });
  });

  it("BLAST-1: tell what a block would hit, of all requests and of browsers'", async () => {
    const radius = async (ja4: string) =>
      (await client.get(fingerprintPath(SITE, ja4))).json<{ blast_radius: unknown }>().blast_radius;
    expect(await radius(CHROMIUM)).toEqual({ share_of_reqs: 60 / 100, share_of_browser_reqs: 60 / 72 });
    expect(await radius(CURL)).toEqual({ share_of_reqs: 8 / 100, share_of_browser_reqs: 0 });
  });

  it("answers are as /openapi.json says", async () => {
    expect(await answerFaults(client)).toEqual([]);
  });
});
