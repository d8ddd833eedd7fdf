/** Thresholds as a resource: create, read, replace, delete, conditions, and what is refused. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Client, createClient, nullsIn, pointersOf, problemFaults } from "../support/client.ts";
import { startServer } from "../support/server.ts";
import { answerFaults } from "./helpers/openapi.ts";
import { type Rule, rule, thresholdsPath } from "./helpers/rules.ts";

const SITE = "shop";
let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;

beforeAll(async () => {
  server = await startServer({ sites: [SITE, "paged", "api"] });
  client = createClient(server);
}, 30_000);
afterAll(() => server?.stop());

const FULL: Rule = {
  id: "login-flood",
  enabled: true,
  ja4: "t13d*",
  severity: "critical",
  when: { signal: "reqs", window: "1m", op: ">", value: 5_000 },
  for: "0s",
  clear: { value: 4_000, for: "1m" },
  cooldown: "10m",
  min_reqs: 0,
  on_missing: "skip",
  note: "from the contract's page",
};

describe("thresholds as a resource", () => {
  it("THR-1: POST answers 201, Location, ETag and the resource; GET gives it back with `active`", async () => {
    const made = await client.post(thresholdsPath(SITE), { json: FULL });
    expect(made.status).toBe(201);
    expect(made.json<Rule>()).toMatchObject(FULL);
    const location = new URL(made.headers.get("location") ?? "", server.url);
    expect(location.pathname).toBe(thresholdsPath(SITE, "login-flood"));
    expect(made.headers.get("etag")).toMatch(/^(W\/)?".+"$/);
    const read = await client.get(location.pathname);
    expect(read.status).toBe(200);
    expect(read.json<Rule>()).toMatchObject({ ...FULL, active: [] });
    expect(read.headers.get("etag")).toBe(made.headers.get("etag"));
  });

  it("THR-2: the same id again is 409 on POST", async () => {
    expect((await client.post(thresholdsPath(SITE), { json: rule("twice") })).status).toBe(201);
    expect(problemFaults(await client.post(thresholdsPath(SITE), { json: rule("twice") }), 409)).toEqual([]);
  });

  it("THR-3: PUT answers 201 for a new one, 200 for a replaced one", async () => {
    const path = thresholdsPath(SITE, "put-me");
    const first = await client.put(path, { json: rule("put-me") });
    const second = await client.put(path, { json: rule("put-me", { note: "second" }) });
    expect([first.status, second.status]).toEqual([201, 200]);
    expect(second.json<Rule>().note).toBe("second");
    expect(second.headers.get("etag")).not.toBe(first.headers.get("etag"));
    expect((await client.get(path)).json<Rule>().note).toBe("second");
  });

  it("THR-4: DELETE answers 204, then 404; so does GET", async () => {
    const path = thresholdsPath(SITE, "delete-me");
    await client.put(path, { json: rule("delete-me") });
    const gone = await client.delete(path);
    expect([gone.status, gone.text]).toEqual([204, ""]);
    expect(problemFaults(await client.delete(path), 404)).toEqual([]);
    expect(problemFaults(await client.get(path), 404)).toEqual([]);
  });

  it("THR-5: If-Match guards PUT and DELETE with 412", async () => {
    const path = thresholdsPath(SITE, "guarded");
    const etag = (await client.put(path, { json: rule("guarded") })).headers.get("etag") ?? "";
    const json = rule("guarded", { note: "new" });
    const stale = { "if-match": '"something-else"' };
    expect(problemFaults(await client.put(path, { json, headers: stale }), 412)).toEqual([]);
    expect(problemFaults(await client.delete(path, { headers: stale }), 412)).toEqual([]);
    expect((await client.get(path)).json<Rule>().note).toBeUndefined();
    expect((await client.put(path, { json, headers: { "if-match": etag } })).status).toBe(200);
    expect((await client.put(path, { json, headers: { "if-match": etag } })).status).toBe(412);
    expect((await client.delete(path, { headers: { "if-match": "*" } })).status).toBe(204);
    expect((await client.put(path, { json, headers: { "if-match": "*" } })).status).toBe(412);
  });

  it("THR-6: of two writers with the same ETag one wins", async () => {
    const path = thresholdsPath(SITE, "raced");
    const etag = (await client.put(path, { json: rule("raced") })).headers.get("etag") ?? "";
    const answers = await Promise.all(
      ["a", "b", "c", "d"].map((note) =>
        client.put(path, { json: rule("raced", { note }), headers: { "if-match": etag } }),
      ),
    );
    expect(answers.map((answer) => answer.status).sort()).toEqual([200, 412, 412, 412]);
  });

  it("THR-7: lists are pages of items, next_cursor and Link until the last", async () => {
    const ids = ["a1", "a2", "a3", "a4", "a5"];
    for (const id of ids) await client.put(thresholdsPath("paged", id), { json: rule(id) });
    const seen: string[] = [];
    let path: string | undefined = `${thresholdsPath("paged")}?limit=2`;
    for (let page = 0; path !== undefined && page < 10; page += 1) {
      const answer: Awaited<ReturnType<Client["get"]>> = await client.get(path);
      expect(answer.status).toBe(200);
      const body = answer.json<{ items: Rule[]; next_cursor?: string }>();
      expect(body.items.length).toBeLessThanOrEqual(2);
      seen.push(...body.items.map((item) => String(item.id)));
      const link = /<([^>]+)>;\s*rel="?next"?/.exec(answer.headers.get("link") ?? "")?.[1];
      expect(link === undefined).toBe(body.next_cursor === undefined);
      path = link === undefined ? undefined : new URL(link, new URL(path, server.url)).href;
    }
    expect(seen.sort()).toEqual(ids);
    const whole = (await client.get(thresholdsPath("paged"))).json<Record<string, unknown>>();
    expect("next_cursor" in whole).toBe(false);
    expect((await client.get(thresholdsPath("api"))).json<Record<string, unknown>>()).toEqual({ items: [] });
  });

  it("THR-8: null is absent, and no null comes back", async () => {
    const json = rule("nulls", {
      ja4: null,
      note: null,
      expires_at: null,
      for: null,
      clear: null,
      notify: null,
    });
    const answer = await client.post(thresholdsPath(SITE), { json });
    expect(answer.status).toBe(201);
    expect(nullsIn(answer.json())).toEqual([]);
    expect(answer.json<Rule>().note).toBeUndefined();
  });

  it("THR-9: `all` and `any` of up to 8 comparisons", async () => {
    const one = { signal: "error_ratio", window: "5m", op: ">=", value: 0.5 };
    for (const [id, when] of [
      ["all", { all: Array.from({ length: 8 }, () => one) }],
      ["any", { any: [one] }],
    ] as const) {
      expect((await client.put(thresholdsPath(SITE, id), { json: rule(id, { when }) })).status).toBe(201);
    }
    const nine = rule("nine", { when: { all: Array.from({ length: 9 }, () => one) } });
    expect(problemFaults(await client.put(thresholdsPath(SITE, "nine"), { json: nine }), 422)).toEqual([]);
  });

  it.each([
    "reqs",
    "ips",
    "uas",
    "paths",
    "asns",
    "hosts",
    "h2h3_ratio",
    "heuristic_ratio",
    "browser_ratio",
    "bot_ratio",
    "cache_ratio",
    "error_ratio",
  ])("THR-10: the window number %s is a signal", async (signal) => {
    for (const window of ["1m", "5m", "1h"]) {
      const when = { signal, window, op: "<=", value: 0.5 };
      const id = `${signal.replace("_", "-")}-${window}`;
      const answer = await client.put(thresholdsPath("api", id), { json: rule(id, { when }) });
      expect({ window, status: answer.status }).toEqual({ window, status: 201 });
    }
  });
});

describe("what is refused", () => {
  const when = { signal: "reqs", window: "1m", op: ">", value: 5 };
  const without = (key: string): Rule =>
    Object.fromEntries(Object.entries(rule("bad")).filter(([k]) => k !== key));
  const cases: readonly [what: string, body: Rule, pointer: string][] = [
    ["an unknown key", rule("bad", { nope: 1 }), "/nope"],
    ["an unknown key inside `when`", rule("bad", { when: { ...when, nope: 1 } }), "/when/nope"],
    ["an unknown signal", rule("bad", { when: { ...when, signal: "requests" } }), "/when/signal"],
    ["`constructor` as a signal", rule("bad", { when: { ...when, signal: "constructor" } }), "/when/signal"],
    ["an unknown window", rule("bad", { when: { ...when, window: "2m" } }), "/when/window"],
    ["no window", rule("bad", { when: { signal: "reqs", op: ">", value: 5 } }), "/when/window"],
    ["an unknown op", rule("bad", { when: { ...when, op: "==" } }), "/when/op"],
    ["a value that is no number", rule("bad", { when: { ...when, value: "5" } }), "/when/value"],
    ["no value", rule("bad", { when: { ...when, value: null } }), "/when/value"],
    ["no on_missing", without("on_missing"), "/on_missing"],
    ["on_missing null", rule("bad", { on_missing: null }), "/on_missing"],
    ["another on_missing", rule("bad", { on_missing: "maybe" }), "/on_missing"],
    ["no condition", without("when"), "/when"],
    ["a duration without a unit", rule("bad", { for: "30" }), "/for"],
    ["a duration as a number", rule("bad", { cooldown: 600 }), "/cooldown"],
    ["a negative min_reqs", rule("bad", { min_reqs: -1 }), "/min_reqs"],
    ["an unknown severity", rule("bad", { severity: "high" }), "/severity"],
    ["enabled as a string", rule("bad", { enabled: "yes" }), "/enabled"],
    ["a time that is none", rule("bad", { expires_at: "tomorrow" }), "/expires_at"],
  ];
  it.each(cases)("THR-11: %s is 422 and the pointer says where", async (_what, body, pointer) => {
    for (const answer of [
      await client.post(thresholdsPath(SITE), { json: body }),
      await client.put(thresholdsPath(SITE, "bad"), { json: body }),
    ]) {
      expect(problemFaults(answer, 422)).toEqual([]);
      expect(pointersOf(answer)).toContain(pointer);
    }
    expect((await client.get(thresholdsPath(SITE, "bad"))).status).toBe(404);
  });

  it("THR-12: several faults are all named", async () => {
    const body = rule("bad", { severity: "high", when: { ...when, op: "==" } });
    const pointers = pointersOf(await client.post(thresholdsPath(SITE), { json: body }));
    expect(pointers).toEqual(expect.arrayContaining(["/severity", "/when/op"]));
  });

  it("API-2: every answer of this file is as /openapi.json describes it", async () => {
    expect((await answerFaults(client)).slice(0, 10)).toEqual([]);
  });
});
