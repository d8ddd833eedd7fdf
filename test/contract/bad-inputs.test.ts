/**
 * The contract's list of bad inputs, each through the real server: every one has a problem of its own that says what is
 * wrong and where, and changes no setting, no token and no counter.
 */
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Answer,
  type Ask,
  type Client,
  CONTENT_TYPES,
  createClient,
  type IngestAnswer,
  ingest,
  ingestAll,
  ja4Of,
  observationsPath,
  pointersOf,
  problemFaults,
  summaryOf,
} from "../support/client.ts";
import type { Schema } from "../support/json-schema.ts";
import { operationsOf } from "../support/operations.ts";
import type { Problem } from "../support/oracle-forms.ts";
import { startServer } from "../support/server.ts";
import { answerFaults } from "./helpers/openapi.ts";
import { putRule, rule, thresholdsPath } from "./helpers/rules.ts";
import { apiTokens, tokenOf } from "./helpers/tokens.ts";

const SITE = "shop";
const HOME = `/v1/sites/${SITE}`;
const MIB = 1_048_576;
const THRESHOLDS_MAX = 200;
const TYPE = "urn:hellotide:problem:";
const expired = tokenOf("expired", ["write"], ["*"], "2020-01-01T00:00:00.000Z");
const foreign = tokenOf("foreign", ["write"], ["api"]);

let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;
let tokenId: string;

/** All that a refused request could have changed. */
async function state(): Promise<unknown> {
  const settings = await client.get(`${HOME}/settings`);
  const { since_start } = await summaryOf(client, SITE);
  const others = [`${HOME}/thresholds?limit=1000`, "/v1/tokens", `${HOME}/anomalies`, `${HOME}/fingerprints`];
  const items = others.map(async (path) => {
    const answer = (await client.get(path)).json<Record<string, unknown>>();
    return { ...answer, as_of: undefined };
  });
  const etag = settings.headers.get("etag");
  return { settings: settings.text, etag, since_start, items: await Promise.all(items) };
}

beforeAll(async () => {
  const env = { API_TOKENS: apiTokens([expired, foreign]) };
  server = await startServer({ sites: [SITE, "api"], shards: 2, env });
  client = createClient(server);
  await ingestAll(client, SITE, [{ timestamp: Date.now() - 1_001, ja4: ja4Of(1) }]);
  // What the routes below would change if they took the body.
  await putRule(client, SITE, rule("one", { enabled: false }));
  const made = [
    await client.put(`${HOME}/silences/one`, { json: { ja4: "t13d*" } }),
    await client.put(`${HOME}/webhooks/one`, {
      json: { url: "https://hooks.example.com/a", enabled: false },
    }),
    await client.post("/v1/tokens", { json: { name: "made", scopes: ["read"], sites: [SITE] } }),
  ];
  expect(made.map(({ status }) => status)).toEqual([201, 201, 201]);
  tokenId = made[2]!.json<{ id: string }>().id;
}, 60_000);
afterAll(() => server?.stop());

const when = { signal: "reqs", window: "1m", op: ">", value: 5 };
const settings = (body: string | Uint8Array<ArrayBuffer>): Ask => ({
  headers: { "content-type": "application/json" },
  body,
});
const observations = (type: keyof typeof CONTENT_TYPES, body: Uint8Array, gzip = false): Ask => ({
  headers: { "content-type": CONTENT_TYPES[type], ...(gzip ? { "content-encoding": "gzip" } : {}) },
  body: Uint8Array.from(body),
});
const text = (more: string) => `{"when":${JSON.stringify(when)},"on_missing":"skip",${more}}`;
const good = () => Buffer.from(`{"timestamp":${Date.now() - 1_001},"ja4":"${ja4Of(2)}"}\n`);

const PUT = ["PUT", thresholdsPath(SITE, "new")] as const;
const POST = ["POST", observationsPath(SITE)] as const;

interface Bad {
  readonly request: readonly [method: string, path: string];
  readonly ask?: () => Ask;
  readonly status: number;
  /** The last part of the problem's type. */
  readonly code: string;
  /** Where in the body it is; absent = the problem lists no faults. */
  readonly at?: string;
  readonly says: RegExp;
}

const BAD: Readonly<Record<string, Bad>> = {
  "an unknown site": {
    request: ["POST", observationsPath("nowhere")],
    ...{ ask: () => observations("ndjson", good()), status: 404, code: "unknown_site", says: /site/ },
  },
  "a bad JA4 in the path": {
    request: ["GET", `${HOME}/fingerprints/t13d`],
    ...{ status: 400, code: "ja4", says: /JA4/ },
  },
  "a bad JA4 in a list of them": {
    request: ["POST", `${HOME}/fingerprints/lookup`],
    ...{ ask: () => ({ json: { ja4: [ja4Of(1), "t13d"] } }), status: 422, code: "invalid", at: "/ja4/1" },
    says: /JA4/,
  },
  "a bad glob in the query": {
    request: ["GET", `${HOME}/fingerprints?ja4=t13d%3F`],
    ...{ status: 400, code: "query", says: /ja4/ },
  },
  "a bad glob in a threshold": {
    request: PUT,
    ...{ ask: () => ({ json: rule("new", { ja4: "t13d[0-9]" }) }), status: 422, code: "invalid", at: "/ja4" },
    says: /glob/i,
  },
  "a bad glob in a silence": {
    request: ["PUT", `${HOME}/silences/new`],
    ...{ ask: () => ({ json: { ja4: "t13d?" } }), status: 422, code: "invalid", at: "/ja4", says: /glob/i },
  },
  "an unknown signal": {
    request: PUT,
    ...{ ask: () => ({ json: rule("new", { when: { ...when, signal: "moon" } }) }), status: 422 },
    ...{ code: "invalid", at: "/when/signal", says: /not a number of/ },
  },
  "an unknown window": {
    request: PUT,
    ...{ ask: () => ({ json: rule("new", { when: { ...when, window: "2h" } }) }), status: 422 },
    ...{ code: "invalid", at: "/when/window", says: /1m/ },
  },
  "a threshold that contradicts itself": {
    request: PUT,
    ask: () => ({ json: rule("new", { when: { all: [when, { ...when, op: "<", value: 3 }] } }) }),
    ...{ status: 422, code: "invalid", at: "/when/all/1/value", says: /contradicts another/ },
  },
  "a body over the limit": {
    request: POST,
    ask: () => observations("ndjson", Buffer.alloc(8 * MIB + 1, 0x20)),
    ...{ status: 413, code: "too_large", says: /larger than 8 MiB/ },
  },
  "settings over the limit": {
    request: PUT,
    ask: () => settings(" ".repeat(257 * 1_024)),
    ...{ status: 413, code: "too_large", says: /larger than 256 KiB/ },
  },
  "a gzip bomb": {
    request: POST,
    ask: () => observations("ndjson", gzipSync(Buffer.alloc(65 * MIB)), true),
    ...{ status: 413, code: "too_large", says: /inflates to more than 64 MiB/ },
  },
  "truncated gzip": {
    request: POST,
    ask: () => observations("ndjson", gzipSync(good()).subarray(0, -5), true),
    ...{ status: 400, code: "bad_gzip", says: /gzip/ },
  },
  "observations that are not UTF-8": {
    request: POST,
    ask: () =>
      observations("json", Buffer.concat([Buffer.from('["'), Buffer.from([0xc3]), Buffer.from('"]')])),
    ...{ status: 400, code: "undecodable", says: /UTF-8/ },
  },
  "settings that are not UTF-8": {
    request: PUT,
    ask: () => settings(Uint8Array.from([...Buffer.from('{"note":"'), 0xff, ...Buffer.from('"}')])),
    ...{ status: 400, code: "bad_json", says: /UTF-8/ },
  },
  "msgpack nested 10,000 deep": {
    request: POST,
    ask: () => observations("msgpack", Buffer.concat([Buffer.alloc(10_000, 0x91), Buffer.from([0xc0])])),
    ...{ status: 400, code: "undecodable", says: /msgpack \(depth\)/ },
  },
  "a msgpack extension": {
    request: POST,
    ask: () => observations("msgpack", Buffer.from([0x91, 0x81, 0xa1, 0x61, 0xd4, 0x01, 0x00])),
    ...{ status: 400, code: "undecodable", says: /msgpack \(extension\)/ },
  },
  "a __proto__ in settings": {
    request: PUT,
    ask: () => settings(text('"__proto__":{"enabled":false}')),
    ...{ status: 422, code: "invalid", at: "/__proto__", says: /unknown key/ },
  },
  "a name twice": {
    request: PUT,
    ask: () =>
      settings('{"when":{"signal":"reqs","window":"1m","op":">","op":"<","value":5},"on_missing":"skip"}'),
    ...{ status: 422, code: "repeated_name", at: "/when/op", says: /twice/ },
  },
  "a number over all bounds": {
    request: PUT,
    ask: () => settings(text('"min_reqs":1e400')),
    ...{ status: 422, code: "invalid", at: "/min_reqs", says: /received Infinity/ },
  },
  "a whole number that no double holds": {
    request: PUT,
    ask: () => settings(text('"min_reqs":9007199254740993')),
    ...{ status: 422, code: "invalid", at: "/min_reqs", says: /9007199254740991/ },
  },
  "an expired token": {
    request: PUT,
    ask: () => ({ json: rule("new"), token: expired.token }),
    ...{ status: 401, code: "unauthorized", says: /expired/ },
  },
  "a token for another site": {
    request: PUT,
    ask: () => ({ json: rule("new"), token: foreign.token }),
    ...{ status: 403, code: "site", says: /site/ },
  },
};

function told({ code, at, says }: Bad, answer: Answer): string[] {
  const { type, detail, errors = [] } = answer.json<Problem>();
  const words = at === undefined ? detail : (errors[0]?.detail ?? "");
  const pointers = pointersOf(answer);
  return [
    ...(type === `${TYPE}${code}` ? [] : [`type ${type}`]),
    ...(pointers.length === (at === undefined ? 0 : 1) && pointers[0] === at ? [] : [`at ${pointers}`]),
    ...(says.test(words) ? [] : [`says ${words}`]),
  ];
}

describe("bad inputs", () => {
  it.each(Object.entries(BAD))("PRF-2: %s has its own problem and changes nothing", async (_, bad) => {
    const before = await state();
    const answer = await client.send(...bad.request, bad.ask?.());
    expect(problemFaults(answer, bad.status)).toEqual([]);
    expect(told(bad, answer)).toEqual([]);
    expect(await state()).toEqual(before);
  });

  it("PRF-2: the 201st threshold has its own problem and changes nothing", async () => {
    const items = Array.from({ length: THRESHOLDS_MAX }, (_, i) => rule(`r${i}`, { enabled: false }));
    const kept = (await client.get(`${HOME}/settings`)).json<object>();
    const whole = (thresholds: object[]) => client.put(`${HOME}/settings`, { json: { ...kept, thresholds } });
    expect((await whole(items)).status).toBe(200);
    const before = await state();
    const [put, post] = [
      await client.send(...PUT, { json: rule("new") }),
      await client.post(thresholdsPath(SITE), { json: rule("other") }),
    ];
    for (const answer of [put, post]) {
      expect(problemFaults(answer, 422)).toEqual([]);
      expect(answer.json<Problem>()).toMatchObject({
        ...{ type: `${TYPE}too_many_thresholds`, detail: "A site has at most 200 thresholds." },
      });
    }
    const document = await whole([...items, rule("new")]);
    expect(problemFaults(document, 422)).toEqual([]);
    expect(pointersOf(document)).toEqual(["/thresholds"]);
    expect(await state()).toEqual(before);
    expect((await whole([rule("one", { enabled: false })])).status).toBe(200);
  });

  it("PRF-3: a name twice is refused by every route that takes a JSON body of settings", async () => {
    const document = (await client.get("/openapi.json")).json<Schema>();
    const routes = operationsOf(document).filter(
      ({ id, bodies }) => bodies.has("application/json") && id !== "postObservations",
    );
    const anomaly = "01J00000000000000000000000";
    const before = await state();
    const faults: string[] = [];
    for (const { id, method, template } of routes) {
      const path = template
        .replace("{site}", SITE)
        .replace("{anomaly_id}", anomaly)
        .replace(/\{\w+\}/, template.includes("/tokens/") ? tokenId : "one");
      for (const [body, at] of [
        ['{"a":1,"a":1}', "/a"],
        ['{"x":[0,{"a/~b":1,"\\u0061/~b":2}]}', "/x/1/a~1~0b"],
      ] as const) {
        const answer = await client.send(method, path, settings(body));
        const bad = { request: ["", ""], status: 422, code: "repeated_name", at, says: /twice/ } as const;
        faults.push(
          ...[...problemFaults(answer, 422), ...told(bad, answer)].map((fault) => `${id}: ${fault}`),
        );
      }
    }
    expect(faults).toEqual([]);
    expect(routes.map(({ id }) => id)).toEqual(
      expect.arrayContaining([
        ...["createThreshold", "putThreshold", "createSilence", "putSilence", "createWebhook", "putWebhook"],
        ...["putDetection", "putSettings", "createToken", "rotateToken", "rotateWebhook"],
      ]),
    );
    expect(await state()).toEqual(before);
  });

  it("PRF-4: of observations the bad ones are rejected with their reason, and nothing else of them counts", async () => {
    const timestamp = Date.now() - 1_001;
    const records = [
      { timestamp, ja4: "t13d" },
      { timestamp: 1e300 },
      { timestamp, status: 1e300 },
      { timestamp, asn: 4_294_967_296 },
      { timestamp, ja4: ja4Of(3) },
    ];
    const before = await summaryOf(client, SITE);
    const answer = await ingest(client, SITE, records);
    const { accepted, rejected, errors } = answer.json<IngestAnswer>();
    expect([answer.status, accepted, rejected]).toEqual([202, 1, 4]);
    expect(errors.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
    for (const [i, name] of ["ja4", "timestamp", "status", "asn"].entries()) {
      expect(errors[i]!.detail).toContain(name);
    }
    const after = await summaryOf(client, SITE);
    expect(after.windows["1h"].reqs - before.windows["1h"].reqs).toBe(1);
  });

  it("API-2: every answer of this file is as /openapi.json describes it", async () => {
    expect((await answerFaults(client)).slice(0, 10)).toEqual([]);
  });
});
