/** A second Worker in the same engine, bound to HelloTide: it reports, it asks, and nothing of that can hurt it. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Client, createClient, ingestAll, ja4Of, summaryOf, until } from "../support/client.ts";
import type { FullForm } from "../support/oracle-forms.ts";
import { type Origin, startOrigin, visit } from "../support/origin.ts";
import { startWorkerd, type TestWorkerd } from "../support/workerd.ts";

const HELLOTIDE = new URL("../../src/index.ts", import.meta.url);
const BROKEN = new URL("../workerd/aux/broken.ts", import.meta.url);
const TOKEN = "edge-test";
const TOKENS = [
  {
    ...{ name: "test", scopes: ["read", "ingest"], sites: ["*"] },
    sha256: "ac47a3c6a4871b597ef08062ffffa7f760a8fb651a40d54bc0fdfb222422ff23",
  },
];
const ENV = {
  SITES: JSON.stringify({ shop: ["www.shop.example"], wrapped: [], quiet: [] }),
  ...{ API_TOKENS: JSON.stringify(TOKENS), HASH_KEY: "edge-tests-0123456789", FLUSH: "1s", TICK: "1s" },
};
const VISITOR = {
  name: "visitor",
  entry: new URL("../workerd/aux/visitor.ts", import.meta.url),
  services: { HELLOTIDE: "main" },
};
/** Of 50 ms, on a machine that does much else. */
const WAIT_MAX_MS = 1_000;

let origin: Origin;
let engine: TestWorkerd;
let client: Client;

beforeAll(async () => {
  origin = await startOrigin((_, answer) => void answer.writeHead(200).end());
  const main = { name: "main", entry: HELLOTIDE, env: ENV, objects: true };
  engine = await startWorkerd([main, VISITOR], new URL(origin.url).host);
  client = createClient({ url: engine.urls.main!, token: TOKEN });
});
afterAll(async () => {
  await engine?.stop();
  await origin?.stop();
});

interface Called {
  readonly value?: Readonly<Record<string, unknown>>;
  readonly ms: number;
}

/** Lets the second Worker call a method; a call that threw is no 200. */
async function called(method: "observe" | "signals", args: readonly unknown[], at = engine): Promise<Called> {
  const got = await visit(at.urls.visitor!, {
    host: "visitor.example",
    path: "/call",
    method: "POST",
    body: JSON.stringify({ method, args }),
  });
  expect([got.status, method, args]).toEqual([200, method, args]);
  return JSON.parse(`${got.body}`) as Called;
}

function formOf(site: string, ja4: string): Promise<FullForm> {
  return until(`${ja4} on ${site}`, 15_000, async () => {
    const answer = await client.get(`/v1/sites/${site}/fingerprints/${ja4}`);
    return answer.status === 200 ? answer.json<FullForm>() : undefined;
  });
}

describe("observe", () => {
  it("BIND-1: facts of another Worker's request count under its host's site, with the source binding", async () => {
    const ja4 = ja4Of(1);
    const cf = { asn: 64_500, httpProtocol: "HTTP/3", botManagement: { ja4, detectionIds: {} } };
    const got = await visit(engine.urls.visitor!, { host: "www.shop.example", path: "/x?q=1", cf });
    expect([got.status, `${got.body}`]).toEqual([404, "mine"]);
    expect((await formOf("shop", ja4)).windows["1h"]).toMatchObject({
      reqs: 1,
      asns: 1,
      h2h3_ratio: 1,
      heuristic_ratio: 0,
      error_ratio: 1,
    });
    expect(await summaryOf(client, "shop")).toMatchObject({ sources: { binding: 1 } });
  });

  it("BIND-2: beside visitors of the edge in the same isolate, each counts under its own source", async () => {
    const [bound, direct] = [ja4Of(2), ja4Of(3)];
    const host = "two.sources.example";
    for (let i = 0; i < 3; i++) {
      await visit(engine.urls.visitor!, { host, cf: { botManagement: { ja4: bound } } });
      await visit(engine.urls.main!, { host, cf: { botManagement: { ja4: direct } } });
    }
    await until("both", 15_000, async () =>
      (await summaryOf(client, "default")).since_start.accepted === 6 ? true : undefined,
    );
    expect(await summaryOf(client, "default")).toMatchObject({ sources: { binding: 3, edge: 3 } });
  });

  it("BIND-3: the wrapper counts a handler's requests and leaves its answers as they are", async () => {
    const ja4 = ja4Of(4);
    const ask = {
      host: "any.example",
      path: "/wrapped",
      method: "POST",
      body: "words",
      cf: { botManagement: { ja4 } },
    };
    const got = await visit(engine.urls.visitor!, ask);
    expect([got.status, got.headers["x-own"], `${got.body}`]).toEqual([418, "kept", "words"]);
    expect((await formOf("wrapped", ja4)).windows["1h"]).toMatchObject({ reqs: 1, error_ratio: 1 });
  });

  it("BIND-4: and its errors, too", async () => {
    const got = await visit(engine.urls.visitor!, { host: "any.example", path: "/wrapped/fails" });
    expect([got.status, `${got.body}`]).toEqual([500, "TypeError: the handler's own error"]);
  });

  it.each([
    [[]],
    [[null]],
    [["text"]],
    [[{}]],
    [[{ timestamp: "soon" }, null]],
    [[{ timestamp: 1e12, ja4: 7 }, { site: "no such" }]],
  ])("BIND-5: observe never throws: %j", async (args) => {
    await called("observe", args);
  });
});

describe("signals", () => {
  it("BIND-6: the features of a fingerprint, with their age", async () => {
    const ja4 = ja4Of(5);
    await ingestAll(client, "shop", [{ timestamp: Date.now(), ja4, status: 404 }]);
    const first = await until(
      "a row",
      10_000,
      async () => (await called("signals", [ja4, { site: "shop", max_age_ms: 60_000 }])).value,
    );
    expect(first).toMatchObject({
      feature_version: 1,
      site: "shop",
      ja4,
      windows_1h_reqs: 1,
      local_error_ratio_1h: 1,
    });
    expect(first.age_ms).toBeGreaterThanOrEqual(0);
    // From memory: what came since is not in it.
    await ingestAll(client, "shop", [{ timestamp: Date.now(), ja4, status: 404 }]);
    expect((await called("signals", [ja4, { site: "shop", max_age_ms: 60_000 }])).value).toMatchObject({
      windows_1h_reqs: 1,
    });
    await until("a younger row", 10_000, async () => {
      const { value } = await called("signals", [ja4, { site: "shop", max_age_ms: 0 }]);
      return value?.windows_1h_reqs === 2 ? true : undefined;
    });
  });

  it("BIND-7: an unseen fingerprint has none", async () => {
    expect(await called("signals", [ja4Of(6), { site: "shop" }])).not.toHaveProperty("value");
  });

  it.each([
    [[]],
    [[null, null]],
    [[7, { site: 7 }]],
    [[{}, []]],
    [["nonsense", { site: "shop" }]],
    [[ja4Of(5), { site: "no-such-site" }]],
    [[ja4Of(5), { site: "../account" }]],
    [[ja4Of(5), { site: "shop", max_age_ms: "soon" }]],
    [[ja4Of(5), { site: "shop", max_age_ms: -1 }]],
  ])("BIND-8: signals never throws: %j", async (args) => {
    expect(await called("signals", args)).not.toHaveProperty("value");
  });

  it.each(["hangs", "throws", "never_starts"])(
    "BIND-9: with objects of which each %s, signals answer in time, with nothing",
    async (how) => {
      const env = { ...ENV, BROKEN: how, MAP: "works" };
      const main = { name: "main", entry: BROKEN, env, objects: true };
      const broken = await startWorkerd([main, VISITOR], new URL(origin.url).host);
      try {
        for (let n = 0; n < 5; n++) {
          const { value, ms } = await called("signals", [ja4Of(7), { site: "shop" }], broken);
          expect(value).toBeUndefined();
          expect(ms).toBeLessThan(WAIT_MAX_MS);
        }
        await called("observe", [{ timestamp: Date.now(), ja4: ja4Of(7) }], broken);
        const got = await visit(broken.urls.visitor!, {
          host: "any.example",
          path: "/wrapped",
          method: "POST",
          body: "words",
        });
        expect([got.status, `${got.body}`]).toEqual([418, "words"]);
      } finally {
        await broken.stop();
      }
    },
  );
});
