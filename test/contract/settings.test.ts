/** Silences, detection settings, and all settings of a site as one document. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Client, createClient, nullsIn, pointersOf, problemFaults } from "../support/client.ts";
import { startServer } from "../support/server.ts";
import { answerFaults } from "./helpers/openapi.ts";
import { type Rule, rule, thresholdsPath } from "./helpers/rules.ts";
import { apiTokens, tokenOf } from "./helpers/tokens.ts";

const SITES = ["shop", "paged", "full", "detect", "doc", "atomic", "race", "back", "api", "over"];
const reader = tokenOf("settings-reader", ["read", "feed", "ingest"], ["*"]);
const writer = tokenOf("settings-writer", ["write"], ["*"]);
let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;

beforeAll(async () => {
  server = await startServer({ sites: SITES, env: { API_TOKENS: apiTokens([reader, writer]) } });
  client = createClient(server);
}, 30_000);
afterAll(() => server?.stop());

const silencesPath = (site: string, id?: string) =>
  `/v1/sites/${site}/silences${id === undefined ? "" : `/${id}`}`;
const detectionPath = (site: string) => `/v1/sites/${site}/detection`;
const settingsPath = (site: string) => `/v1/sites/${site}/settings`;
const inMs = (ms: number) => new Date(Date.now() + ms).toISOString();
const HOUR_MS = 3_600_000;
const SILENCE = { ja4: "t13d*", kinds: ["surge", "threshold"], reason: "load test" };
/** The contract's example. */
const DETECTION = {
  alert_budget_per_day: 5,
  delay: "0s",
  storm: { raises: 20, per: "5m" },
  kinds: { surge: { enabled: true, min_reqs: 50, min_effect: 2.0 } },
};

describe("silences as a resource", () => {
  it("SILAPI-1: POST is 201 with Location, ETag and resource; GET gives the same; PUT is 201, then 200", async () => {
    const until = inMs(HOUR_MS);
    const made = await client.post(silencesPath("shop"), { json: { id: "load-test", ...SILENCE, until } });
    expect(made.status).toBe(201);
    expect(made.json()).toEqual({
      ...{ id: "load-test", ...SILENCE, until },
      ...{ created_at: expect.any(String), updated_at: expect.any(String) },
    });
    const location = new URL(made.headers.get("location") ?? "", server.url);
    expect(location.pathname).toBe(silencesPath("shop", "load-test"));
    const read = await client.get(location.pathname);
    expect([read.status, read.json()]).toEqual([200, made.json()]);
    expect(read.headers.get("etag")).toBe(made.headers.get("etag"));
    const put = (note: string) =>
      client.put(silencesPath("shop", "put-me"), { json: { verified_bots: true, reason: note } });
    const [first, second] = [await put("one"), await put("two")];
    expect([first.status, second.status]).toEqual([201, 200]);
    expect(second.json<Rule>().reason).toBe("two");
    expect(second.json<Rule>().created_at).toBe(first.json<Rule>().created_at);
    expect(second.headers.get("etag")).not.toBe(first.headers.get("etag"));
  });

  it("SILAPI-1: an id that exists is 409, without one it is made, DELETE is 204, then 404", async () => {
    const made = await client.post(silencesPath("shop"), { json: { ja4: "q13*" } });
    const { id } = made.json<{ id: string }>();
    expect([made.status, id]).toEqual([201, expect.stringMatching(/^[a-z0-9-]{1,63}$/)]);
    expect(problemFaults(await client.post(silencesPath("shop"), { json: { id, ja4: "*" } }), 409)).toEqual(
      [],
    );
    const path = silencesPath("shop", id);
    expect((await client.delete(path)).status).toBe(204);
    expect(problemFaults(await client.delete(path), 404)).toEqual([]);
    expect(problemFaults(await client.get(path), 404)).toEqual([]);
    expect(problemFaults(await client.put(silencesPath("shop", "No%20id"), { json: SILENCE }), 400)).toEqual(
      [],
    );
  });

  it("SILAPI-2: without `until` it is an allow-list; times of other zones come back in UTC; null is absent", async () => {
    const put = async (json: unknown) =>
      (await client.put(silencesPath("shop", "form"), { json })).json<Rule>();
    expect("until" in (await put({ ja4: "t13d*", until: null, reason: null }))).toBe(false);
    const year = new Date().getUTCFullYear() + 1;
    const zoned = await put({ ja4: "t13d*", until: `${year}-03-01T02:00:00+02:00` });
    expect(zoned.until).toBe(`${year}-03-01T00:00:00.000Z`);
    expect(nullsIn(zoned)).toEqual([]);
    expect(await put({ verified_bots: true })).toMatchObject({ verified_bots: true });
  });

  const refused: [string, unknown, string][] = [
    ["an unknown key", { ...SILENCE, nope: 1 }, "/nope"],
    ["`active`, which silences do not have", { ...SILENCE, active: [] }, "/active"],
    ["an unknown kind", { kinds: ["surge", "moon"] }, "/kinds/1"],
    ["no kind at all", { kinds: [] }, "/kinds"],
    ["a glob that is none", { ja4: "t13d?" }, "/ja4"],
    ["nothing that it silences", { reason: "why" }, ""],
    ["verified_bots false alone", { verified_bots: false }, ""],
    ["a time that is none", { ...SILENCE, until: "tomorrow" }, "/until"],
    ["a time that has passed", { ...SILENCE, until: "2020-01-01T00:00:00Z" }, "/until"],
    ["an id of other characters", { ...SILENCE, id: "Upper" }, "/id"],
    ["an array", [], ""],
  ];
  it.each(refused)("SILAPI-3: %s is 422 and the pointer says where", async (_, json, pointer) => {
    for (const answer of [
      await client.post(silencesPath("shop"), { json }),
      await client.put(silencesPath("shop", "bad"), { json }),
    ]) {
      expect(problemFaults(answer, 422)).toEqual([]);
      expect(pointersOf(answer)).toContain(pointer);
    }
    expect((await client.get(silencesPath("shop", "bad"))).status).toBe(404);
  });

  it("SILAPI-4: If-Match guards, of racing writers one wins", async () => {
    const path = silencesPath("race", "raced");
    const etag = (await client.put(path, { json: SILENCE })).headers.get("etag") ?? "";
    const guarded = { json: SILENCE, headers: { "if-match": etag } };
    const answers = await Promise.all([client.put(path, guarded), client.put(path, guarded)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412]);
    expect(problemFaults(await client.delete(path, { headers: { "if-match": etag } }), 412)).toEqual([]);
    expect((await client.delete(path, { headers: { "if-match": "*" } })).status).toBe(204);
  });

  it("SILAPI-5: lists are pages with next_cursor and Link until the last", async () => {
    for (const id of ["a", "b", "c"]) await client.put(silencesPath("paged", id), { json: SILENCE });
    const first = await client.get(`${silencesPath("paged")}?limit=2`);
    const page = first.json<{ items: Rule[]; next_cursor: string }>();
    expect(page.items.map(({ id }) => id)).toEqual(["a", "b"]);
    const link = /<([^>]+)>;\s*rel="?next"?/.exec(first.headers.get("link") ?? "")?.[1] ?? "";
    const second = await client.get(link);
    expect(second.json()).toEqual({ items: [expect.objectContaining({ id: "c" })] });
    expect(second.headers.get("link")).toBeNull();
    expect((await client.get(silencesPath("api"))).json()).toEqual({ items: [] });
    expect(problemFaults(await client.get(`${silencesPath("paged")}?limit=0`), 400)).toEqual([]);
  });

  it("SILAPI-6: a site has at most 200 of them", async () => {
    const silences = Array.from({ length: 200 }, (_, i) => ({ ...SILENCE, id: `s${i}` }));
    expect((await client.put(settingsPath("full"), { json: { silences } })).status).toBe(200);
    expect(problemFaults(await client.post(silencesPath("full"), { json: SILENCE }), 422)).toEqual([]);
    expect((await client.put(silencesPath("full", "s0"), { json: SILENCE })).status).toBe(200);
    const more = [...silences, SILENCE];
    const refusal = await client.put(settingsPath("full"), { json: { silences: more } });
    expect([refusal.status, pointersOf(refusal)]).toEqual([422, ["/silences"]]);
  });
});

describe("detection settings", () => {
  it("DETAPI-1: before the first write GET shows the defaults; PUT is 201, then 200", async () => {
    const before = await client.get(detectionPath("detect"));
    expect(before.status).toBe(200);
    expect(before.json()).toMatchObject(DETECTION);
    const first = await client.put(detectionPath("detect"), { json: DETECTION });
    const second = await client.put(detectionPath("detect"), { json: { delay: "2m" } });
    expect([first.status, second.status]).toEqual([201, 200]);
    expect(first.json()).toEqual(before.json());
    expect(second.json()).toEqual({ ...before.json<Rule>(), delay: "2m" });
    const read = await client.get(detectionPath("detect"));
    expect(read.json()).toEqual(second.json());
    expect(read.headers.get("etag")).toBe(second.headers.get("etag"));
  });

  it("DETAPI-2: what is absent is the default, member by member", async () => {
    const json = { kinds: { surge: { min_reqs: 7 }, divergence: { enabled: false } }, storm: { raises: 3 } };
    const body = (await client.put(detectionPath("detect"), { json })).json<typeof DETECTION>();
    expect(body.storm).toEqual({ raises: 3, per: "5m" });
    expect(body.kinds).toMatchObject({
      surge: { enabled: true, min_reqs: 7, min_effect: 2 },
      divergence: { enabled: false, min_reqs: 200, min_effect: 2 },
    });
    const empty = (await client.put(detectionPath("detect"), { json: {} })).json<typeof DETECTION>();
    expect(empty).toMatchObject(DETECTION);
    // One that may come with a later version.
    const later = { kinds: { family_swarm: { enabled: false } } };
    const kept = (await client.put(detectionPath("detect"), { json: later })).json<typeof DETECTION>();
    expect(kept.kinds).toMatchObject({ ...later.kinds, surge: { enabled: true } });
  });

  const refused: [string, unknown, string][] = [
    ["an unknown key", { budget: 1 }, "/budget"],
    ["an unknown kind", { kinds: { moon: { enabled: true } } }, "/kinds/moon"],
    ["an unknown key of a kind", { kinds: { surge: { nope: 1 } } }, "/kinds/surge/nope"],
    ["a budget below 0", { alert_budget_per_day: -1 }, "/alert_budget_per_day"],
    ["a budget over 1000", { alert_budget_per_day: 1_001 }, "/alert_budget_per_day"],
    ["a delay over 10m", { delay: "601s" }, "/delay"],
    ["a delay without a unit", { delay: "10" }, "/delay"],
    ["a delay as a number", { delay: 0 }, "/delay"],
    ["no raises", { storm: { raises: 0 } }, "/storm/raises"],
    ["raises over 10000", { storm: { raises: 10_001 } }, "/storm/raises"],
    ["a storm of under 1m", { storm: { per: "59s" } }, "/storm/per"],
    ["a storm of over 1h", { storm: { per: "61m" } }, "/storm/per"],
    ["min_reqs 0", { kinds: { surge: { min_reqs: 0 } } }, "/kinds/surge/min_reqs"],
    ["half a request", { kinds: { surge: { min_reqs: 1.5 } } }, "/kinds/surge/min_reqs"],
    ["min_effect below 1", { kinds: { surge: { min_effect: 0.9 } } }, "/kinds/surge/min_effect"],
    ["enabled as a string", { kinds: { surge: { enabled: "no" } } }, "/kinds/surge/enabled"],
    ["a list", [], ""],
  ];
  it.each(refused)("DETAPI-3: %s is 422 and the pointer says where", async (_, json, pointer) => {
    const answer = await client.put(detectionPath("api"), { json });
    expect(problemFaults(answer, 422)).toEqual([]);
    expect(pointersOf(answer)).toEqual([pointer]);
  });

  it("DETAPI-3: both ends of every bound are allowed", async () => {
    const surge = { min_reqs: 1, min_effect: 1 };
    const low = { alert_budget_per_day: 0, delay: "0s", storm: { raises: 1, per: "1m" }, kinds: { surge } };
    const high = { alert_budget_per_day: 1_000, delay: "10m", storm: { raises: 1_000, per: "1h" } };
    for (const json of [low, high]) {
      const answer = await client.put(detectionPath("api"), { json });
      expect(answer.status).toBeLessThan(300);
      expect(answer.json()).toMatchObject(json);
    }
  });

  it("DETAPI-4: If-Match guards, the first write too; of racing writers one wins", async () => {
    const path = detectionPath("race");
    const etag = (await client.get(path)).headers.get("etag") ?? "";
    const stale = { json: {}, headers: { "if-match": '"999999"' } };
    expect(problemFaults(await client.put(path, stale), 412)).toEqual([]);
    const guarded = { json: {}, headers: { "if-match": etag } };
    const answers = await Promise.all([client.put(path, guarded), client.put(path, guarded)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 412]);
    expect((await client.put(path, { json: {}, headers: { "if-match": "*" } })).status).toBe(200);
  });
});

interface Settings {
  thresholds: Rule[];
  silences: Rule[];
  detection: typeof DETECTION;
  webhooks: Rule[];
}

describe("the settings document", () => {
  it("DOC-1: an untouched site's is empty, with the detection defaults; it holds what was written one by one", async () => {
    const empty = await client.get(settingsPath("doc"));
    expect(empty.status).toBe(200);
    expect(empty.json()).toEqual({
      ...{ thresholds: [], silences: [], webhooks: [] },
      detection: (await client.get(detectionPath("doc"))).json(),
    });
    await client.put(thresholdsPath("doc", "one"), { json: rule("one") });
    await client.put(silencesPath("doc", "two"), { json: SILENCE });
    await client.put(detectionPath("doc"), { json: { delay: "1m" } });
    const full = await client.get(settingsPath("doc"));
    expect(full.json<Settings>()).toMatchObject({
      thresholds: [{ id: "one" }],
      silences: [{ id: "two", ...SILENCE }],
      detection: { delay: "1m" },
      webhooks: [],
    });
    expect(full.headers.get("etag")).not.toBe(empty.headers.get("etag"));
  });

  it("DOC-2: PUT replaces everything; what is absent is empty or the default", async () => {
    await client.put(thresholdsPath("doc", "one"), { json: rule("one") });
    const { id: _, ...nameless } = rule("nameless");
    const json = { thresholds: [rule("new"), nameless], silences: [{ id: "s", verified_bots: true }] };
    const put = await client.put(settingsPath("doc"), { json });
    expect(put.status).toBe(200);
    const { thresholds } = put.json<Settings>();
    expect(thresholds.map(({ id }) => id)).toEqual(["new", expect.stringMatching(/^[a-z0-9-]+$/)]);
    expect((await client.get(settingsPath("doc"))).json()).toEqual(put.json());
    expect((await client.get(thresholdsPath("doc", "one"))).status).toBe(404);
    expect((await client.get(thresholdsPath("doc", "new"))).status).toBe(200);
    expect((await client.get(detectionPath("doc"))).json()).toMatchObject(DETECTION);
    const emptied = await client.put(settingsPath("doc"), { json: {} });
    expect(emptied.json()).toMatchObject({ thresholds: [], silences: [], webhooks: [] });
  });

  it("DOC-3: a GET body put back is accepted and changes nothing, one by one too", async () => {
    const until = inMs(1_500);
    await client.put(thresholdsPath("back", "one"), { json: rule("one") });
    await client.put(silencesPath("back", "ends"), { json: { ja4: "t13d*", until } });
    const read = await client.get(settingsPath("back"));
    while (Date.now() <= Date.parse(until)) await new Promise((resolve) => setTimeout(resolve, 100));
    const put = await client.put(settingsPath("back"), { json: read.json() });
    expect([put.status, put.json()]).toEqual([200, read.json()]);
    expect(put.headers.get("etag")).toBe(read.headers.get("etag"));
    // A silence that has ended may stay, but not come anew.
    const ended = read.json<Settings>().silences[0];
    const anew = await client.put(settingsPath("back"), { json: { silences: [{ ...ended, id: "other" }] } });
    expect([anew.status, pointersOf(anew)]).toEqual([422, ["/silences/0/until"]]);
    const paths = [thresholdsPath("back", "one"), silencesPath("back", "ends"), detectionPath("back")];
    for (const path of paths) {
      const one = await client.get(path);
      const again = await client.put(path, { json: one.json() });
      const { updated_at: _, ...was } = one.json<Rule>();
      const { active: __, ...stored } = was;
      expect([again.status < 300, again.json<Rule>()]).toMatchObject([true, stored]);
    }
  });

  it("APM-2: what a single write refuses now the document refuses too, of every kind; what is stored so may stay", async () => {
    const path = settingsPath("over");
    const ends = inMs(1_500);
    const ended = { ...rule("ended"), expires_at: ends };
    expect((await client.put(path, { json: { thresholds: [ended] } })).status).toBe(200);
    const before = await client.get(path);
    while (Date.now() <= Date.parse(ends)) await new Promise((resolve) => setTimeout(resolve, 100));
    const put = await client.put(path, { json: before.json() });
    expect([put.status, put.json()]).toEqual([200, before.json()]);
    const past = "2020-01-01T00:00:00Z";
    const webhook = { url: "https://127.0.0.1/hook" };
    const json = {
      // The first may stay; as another one, or changed, it may not.
      thresholds: [ended, { ...ended, id: "other" }, rule("good")],
      silences: [SILENCE, { ...SILENCE, until: past }],
      webhooks: [webhook],
    };
    const refused = await client.put(path, { json });
    expect(problemFaults(refused, 422)).toEqual([]);
    expect(pointersOf(refused)).toEqual(["/thresholds/1/expires_at", "/silences/1/until", "/webhooks/0/url"]);
    const changed = await client.put(path, { json: { thresholds: [{ ...ended, note: "changed" }] } });
    expect([changed.status, pointersOf(changed)]).toEqual([422, ["/thresholds/0/expires_at"]]);
    const singles: [string, unknown][] = [
      [thresholdsPath("over"), { ...ended, id: "other" }],
      [silencesPath("over"), { ...SILENCE, until: past }],
      ["/v1/sites/over/webhooks", webhook],
    ];
    for (const [single, one] of singles)
      expect(problemFaults(await client.post(single, { json: one }), 422)).toEqual([]);
    const after = await client.get(path);
    expect([after.json(), after.headers.get("etag")]).toEqual([before.json(), before.headers.get("etag")]);
  });

  it("DOC-3: what is as before keeps its times and ETag, what is not gets new ones", async () => {
    await client.put(settingsPath("api"), { json: { thresholds: [rule("same"), rule("other")] } });
    const etags = () =>
      Promise.all(
        ["same", "other"].map(async (id) =>
          (await client.get(thresholdsPath("api", id))).headers.get("etag"),
        ),
      );
    const before = await etags();
    const json = { thresholds: [rule("same"), rule("other", { note: "new" })] };
    expect((await client.put(settingsPath("api"), { json })).status).toBe(200);
    const after = await etags();
    expect([after[0] === before[0], after[1] === before[1]]).toEqual([true, false]);
  });

  it("DOC-4: a fault anywhere changes nothing, and pointers lead into the document", async () => {
    const path = settingsPath("atomic");
    await client.put(path, { json: { thresholds: [rule("kept")], silences: [{ id: "s", ja4: "t13d*" }] } });
    const before = await client.get(path);
    const good = [rule("a"), rule("b"), rule("c")];
    const when = { signal: "reqs", window: "1m", op: ">", value: "5" };
    const cases: [unknown, string[]][] = [
      [{ thresholds: [...good, rule("d", { when })] }, ["/thresholds/3/when/value"]],
      [{ thresholds: good, detection: { storm: { raises: 0 } } }, ["/detection/storm/raises"]],
      [{ thresholds: [...good, rule("b")] }, ["/thresholds/3/id"]],
      [{ thresholds: good, silences: [SILENCE, { ...SILENCE, kinds: ["moon"] }] }, ["/silences/1/kinds/0"]],
      [
        { thresholds: good, silences: [{ ...SILENCE, until: "2020-01-01T00:00:00Z" }] },
        ["/silences/0/until"],
      ],
      [{ thresholds: good, webhooks: [{ id: "w" }] }, ["/webhooks/0/url"]],
      [{ thresholds: good, nope: 1 }, ["/nope"]],
      [{ thresholds: {} }, ["/thresholds"]],
      [[], [""]],
    ];
    for (const [json, pointers] of cases) {
      const answer = await client.put(path, { json });
      expect(problemFaults(answer, 422)).toEqual([]);
      expect(pointersOf(answer)).toEqual(pointers);
    }
    const after = await client.get(path);
    expect([after.json(), after.headers.get("etag")]).toEqual([before.json(), before.headers.get("etag")]);
  });

  it("DOC-5: If-Match is over the whole: a write of any part makes it stale", async () => {
    const path = settingsPath("race");
    const etag = (await client.get(path)).headers.get("etag") ?? "";
    await client.put(thresholdsPath("race", "between"), { json: rule("between") });
    const stale = { json: {}, headers: { "if-match": etag } };
    expect(problemFaults(await client.put(path, stale), 412)).toEqual([]);
    expect((await client.get(thresholdsPath("race", "between"))).status).toBe(200);
    const fresh = (await client.get(path)).headers.get("etag") ?? "";
    const answers = await Promise.all(
      ["a", "b", "c"].map((id) =>
        client.put(path, { json: { thresholds: [rule(id)] }, headers: { "if-match": fresh } }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412, 412]);
  });

  it("DOC-6: reading needs `read`, writing `write`", async () => {
    const paths = [silencesPath("shop"), detectionPath("shop"), settingsPath("shop")];
    for (const path of paths) {
      expect((await client.get(path, { token: reader.token })).status).toBe(200);
      expect(problemFaults(await client.get(path, { token: writer.token }), 403)).toEqual([]);
      expect(problemFaults(await client.get(path, { token: null }), 401)).toEqual([]);
    }
    const ask = { json: {}, token: reader.token };
    expect(problemFaults(await client.post(silencesPath("shop"), ask), 403)).toEqual([]);
    for (const path of paths.slice(1)) expect(problemFaults(await client.put(path, ask), 403)).toEqual([]);
  });

  it("API-2: every answer of this file is as /openapi.json describes it", async () => {
    expect((await answerFaults(client)).slice(0, 10)).toEqual([]);
  });
});
