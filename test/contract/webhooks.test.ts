/** Webhooks over HTTP: the resource, and deliveries to receivers on loopback that behave badly. */
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Client,
  createClient,
  ingestAll,
  ja4Of,
  nullsIn,
  pointersOf,
  problemFaults,
  until,
} from "../support/client.ts";
import { startOrigin } from "../support/origin.ts";
import { startServer } from "../support/server.ts";
import { loadOpenApi } from "./helpers/openapi.ts";
import { rule, thresholdsPath } from "./helpers/rules.ts";

interface Shown {
  id: string;
  secret?: string;
  disabled_reason?: string;
  overlap_until?: string;
  status: { pending: number; failures: number; last_status?: number };
}
interface Got {
  path: string;
  headers: Record<string, string>;
  body: string;
}

const WAIT_MS = 30_000;
let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;
let receiver: Awaited<ReturnType<typeof startOrigin>>;
const got: Got[] = [];
/** How often a path has been asked. */
const asked = (path: string) => got.filter((one) => one.path === path);

beforeAll(async () => {
  receiver = await startOrigin((incoming, answer) => {
    const path = incoming.url ?? "";
    let body = "";
    incoming.setEncoding("utf8").on("data", (text: string) => {
      body += text;
    });
    incoming.on("end", () => {
      got.push({ path, headers: incoming.headers as Record<string, string>, body });
      if (path === "/hangs") return;
      if (path === "/gone") answer.writeHead(410).end();
      else if (path === "/redirects") answer.writeHead(302, { location: "/landed" }).end();
      else if (path === "/busy" && asked(path).length === 1)
        answer.writeHead(503, { "retry-after": "1" }).end();
      else answer.writeHead(204).end();
    });
  });
  server = await startServer({
    sites: ["shop", "live", "doc", "full"],
    env: { WEBHOOK_TEST_TARGETS: "loopback" },
  });
  client = createClient(server);
}, 60_000);
afterAll(async () => {
  await server?.stop();
  await receiver?.stop();
});

const path = (site: string, id = "") => `/v1/sites/${site}/webhooks${id === "" ? "" : `/${id}`}`;
const to = (name: string) => ({ url: `${receiver.url}/${name}`, format: "cloudevents" });
const read = async (site: string, id: string) => (await client.get(path(site, id))).json<Shown>();

describe("the resource", () => {
  it("HOOK-16, HOOK-17: POST is 201 with the secret, once; GET and PUT are without and keep it; DELETE is 204, then 404", async () => {
    const json = { id: "ops", url: "https://hooks.example.com/x", format: "pagerduty", routing_key: "R0UTE" };
    const made = await client.post(path("shop"), { json });
    expect(made.status).toBe(201);
    expect(made.json<Shown>().secret).toMatch(/^whsec_/);
    expect(new URL(made.headers.get("location")!, server.url).pathname).toBe(path("shop", "ops"));
    const one = await client.get(path("shop", "ops"));
    expect(one.headers.get("etag")).toBe(made.headers.get("etag"));
    const put = await client.put(path("shop", "ops"), { json: one.json() });
    const list = await client.get(path("shop"));
    const document = await client.get("/v1/sites/shop/settings");
    const openapi = await loadOpenApi(client);
    for (const answer of [made, one, put, list, document]) {
      expect([openapi.faults(answer), nullsIn(answer.json())]).toEqual([[], []]);
      expect(answer.text).not.toContain("R0UTE");
      if (answer !== made) expect(answer.text).not.toContain("whsec_");
    }
    expect(problemFaults(await client.post(path("shop"), { json }), 409)).toEqual([]);
    const stale = { json, headers: { "if-match": made.headers.get("etag")! } };
    expect(problemFaults(await client.put(path("shop", "ops"), stale), 412)).toEqual([]);
    expect((await client.delete(path("shop", "ops"))).status).toBe(204);
    for (const call of [client.get, client.delete])
      expect(problemFaults(await call(path("shop", "ops")), 404)).toEqual([]);
  });

  const bad = [
    "http://example.com/",
    "https://10.0.0.1/",
    "https://localhost./",
    "https://a@b.example.com/",
    "x",
  ];
  it.each(bad)("HOOK-17: the target %s is 422", async (url) => {
    const answer = await client.post(path("shop"), { json: { url, format: "slack" } });
    expect(problemFaults(answer, 422)).toEqual([]);
    expect(pointersOf(answer)).toEqual(["/url"]);
  });

  it("HOOK-17: a site has at most 20", async () => {
    for (let n = 0; n < 20; n++)
      expect((await client.put(path("full", `w${n}`), { json: to("ok") })).status).toBe(201);
    expect(problemFaults(await client.post(path("full"), { json: to("ok") }), 422)).toEqual([]);
  });

  it("HOOK-16: a settings document tells the secrets that it made, and keeps the others", async () => {
    const settings = "/v1/sites/doc/settings";
    const { secret } = (await client.put(path("doc", "a"), { json: to("doc") })).json<Shown>();
    const before = (await client.get(settings)).json<{ webhooks: Shown[] }>();
    const json = { ...before, webhooks: [...before.webhooks, { id: "b", ...to("ok") }] };
    const put = await client.put(settings, { json });
    const [a, b] = put.json<{ webhooks: Shown[] }>().webhooks;
    expect([put.status, "secret" in a!, b!.secret]).toEqual([200, false, expect.stringMatching(/^whsec_/)]);
    expect((await client.get(settings)).text).not.toContain("whsec_");
    await client.post(`${path("doc", "a")}/test`);
    const [message] = asked("/doc");
    expect(new Webhook(secret!).verify(message!.body, message!.headers)).toMatchObject({
      specversion: "1.0",
    });
  });
});

describe("tests and rotation", () => {
  it("HOOK-18: a test says what came of it; both secrets verify after a rotation", async () => {
    const test = async (name: string) => {
      await client.put(path("shop", name), { json: to(name) });
      return (await client.post(`${path("shop", name)}/test`)).json();
    };
    const old = (await client.put(path("shop", "ok"), { json: to("ok") })).json<Shown>().secret!;
    expect(await test("ok")).toMatchObject({ delivered: true, status: 204 });
    expect(await test("redirects")).toMatchObject({ delivered: false, status: 302 });
    expect(asked("/landed")).toEqual([]);
    const hung = await test("hangs");
    expect([hung, "status" in (hung as object)]).toMatchObject([{ delivered: false }, false]);
    const rotated = await client.post(`${path("shop", "ok")}/rotate`);
    const fresh = rotated.json<Shown>();
    expect([rotated.status, fresh.secret === old, fresh.overlap_until]).toEqual([
      200,
      false,
      expect.any(String),
    ]);
    await client.post(`${path("shop", "ok")}/test`);
    const last = asked("/ok").at(-1)!;
    expect(last.headers["webhook-signature"]!.split(" ")).toHaveLength(2);
    for (const secret of [old, fresh.secret!]) new Webhook(secret).verify(last.body, last.headers);
    expect(problemFaults(await client.post(`${path("shop", "never")}/test`), 404)).toEqual([]);
    expect(problemFaults(await client.post(`${path("shop", "never")}/rotate`), 404)).toEqual([]);
  });

  it("APM-1: an overlap of up to 7 days is taken; others are 422, of a webhook that is not there 404", async () => {
    const made = (await client.put(path("shop", "turned"), { json: to("turned") })).json<Shown>();
    const rotate = (name: string, overlap: unknown) =>
      client.post(`${path("shop", name)}/rotate`, { json: { overlap } });
    for (const overlap of ["8d", "169h", "1", "-1s", 5, "1w"]) {
      const refused = await rotate("turned", overlap);
      expect(problemFaults(refused, 422)).toEqual([]);
      expect(pointersOf(refused)).toEqual(["/overlap"]);
      expect(problemFaults(await rotate("never", overlap), 404)).toEqual([]);
    }
    // Nothing of that has turned the secret: it is the one that the next rotation leaves beside its own.
    await client.post(`${path("shop", "turned")}/test`);
    const before = asked("/turned").at(-1)!;
    expect(before.headers["webhook-signature"]!.split(" ")).toHaveLength(1);
    new Webhook(made.secret!).verify(before.body, before.headers);
    const turned = (await rotate("turned", "7d")).json<Shown>();
    expect(Date.parse(turned.overlap_until!) - Date.now()).toBeGreaterThan(6.9 * 24 * 3_600_000);
  });
});

describe("deliveries", () => {
  it("HOOK-12, HOOK-13, HOOK-14: what a threshold raises reaches every webhook that it names, through receivers that misbehave", async () => {
    const names = ["hangs", "redirects", "gone", "busy", "good"];
    const secrets = new Map<string, string>();
    for (const name of [...names, "unnamed"]) {
      const made = await client.put(path("live", name), { json: to(name) });
      secrets.set(name, made.json<Shown>().secret!);
    }
    const [before, tested] = [asked("/redirects").length, asked("/hangs").length];
    const when = { signal: "reqs", window: "1m", op: ">", value: 5 };
    const json = rule("flood", { when, notify: names });
    expect((await client.put(thresholdsPath("live", "flood"), { json })).status).toBe(201);
    const records = Array.from({ length: 20 }, () => ({ timestamp: Date.now(), ja4: ja4Of(1) }));
    await ingestAll(client, "live", records);
    await until("the good one is told", WAIT_MS, async () => asked("/good")[0]);
    await until("the busy one is told again", WAIT_MS, async () => asked("/busy")[1]);
    await until("the gone one is off", WAIT_MS, async () => (await read("live", "gone")).disabled_reason);
    const [first, second] = asked("/busy");
    expect(second!.headers["webhook-id"]).toBe(first!.headers["webhook-id"]);
    expect(new Webhook(secrets.get("busy")!).verify(second!.body, second!.headers)).toMatchObject({
      type: "hellotide.threshold.raised",
      data: { threshold: "flood" },
    });
    expect([asked("/unnamed"), asked("/landed"), asked("/gone").length]).toEqual([[], [], 1]);
    expect([asked("/redirects").length > before, asked("/hangs").length > tested]).toEqual([true, true]);
    expect((await read("live", "good")).status).toMatchObject({ pending: 0, last_status: 204 });
    expect((await read("live", "redirects")).status).toMatchObject({ pending: 1, last_status: 302 });
    expect((await client.get("/metrics")).text).toMatch(
      /hellotide_webhook_failures_total\{site="live"\} 1\b/,
    );
  });
});
