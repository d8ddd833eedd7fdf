/** Whatever becomes of the observer, visitors reach their origin: here on the real engine with everything broken. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Origin, startOrigin, visit } from "../support/origin.ts";
import { startWorkerd, type TestWorkerd } from "../support/workerd.ts";

const HELLOTIDE = new URL("../../src/index.ts", import.meta.url);
const BROKEN = new URL("../workerd/aux/broken.ts", import.meta.url);
const VISITORS = 500;
const CONCURRENT = 25;
const HOST = "www.shop.example";
const cf = { botManagement: { ja4: "t13d1516h2_8daaf6152771_02713d6af862" } };
const TOKENS = JSON.stringify([
  // Of the token "edge-test".
  {
    ...{ name: "test", scopes: ["read"], sites: ["*"] },
    sha256: "ac47a3c6a4871b597ef08062ffffa7f760a8fb651a40d54bc0fdfb222422ff23",
  },
]);

let origin: Origin;
beforeAll(async () => {
  origin = await startOrigin((incoming, answer) => void incoming.pipe(answer.writeHead(200)));
});
afterAll(() => origin?.stop());

async function withWorker(
  entry: URL,
  env: Record<string, string>,
  use: (url: string) => Promise<void>,
): Promise<void> {
  const engine: TestWorkerd = await startWorkerd(
    [{ name: "main", entry, env, objects: true }],
    new URL(origin.url).host,
  );
  try {
    await use(engine.urls.main!);
  } finally {
    await engine.stop();
  }
}

/** How many of all visitors did not get their own words back. */
async function failedVisits(url: string): Promise<number> {
  let failed = 0;
  let next = 0;
  const visitor = async () => {
    for (let n = next++; n < VISITORS; n = next++) {
      const got = await visit(url, { host: HOST, method: "POST", body: `visitor ${n}`, cf }).catch(
        () => undefined,
      );
      if (got?.status !== 200 || `${got.body}` !== `visitor ${n}`) failed++;
    }
  };
  await Promise.all(Array.from({ length: CONCURRENT }, visitor));
  return failed;
}

describe("fail open", () => {
  it.each([
    ["throws", {}],
    ["throws", { MAP: "works" }],
    ["hangs", {}],
    ["hangs", { MAP: "works" }],
    ["never_starts", {}],
  ])("EDGE-21: every object %s (%o): of 500 visitors none fails", async (how, over) => {
    const key = "MAP" in over ? { HASH_KEY: "edge-tests-0123456789" } : {};
    const env = {
      BROKEN: how,
      SITES: `{"shop":["${HOST}"]}`,
      SIGNALS_HEADER: "on",
      FLUSH: "1s",
      API_TOKENS: TOKENS,
      ...key,
      ...over,
    };
    await withWorker(BROKEN, env, async (url) => {
      // The control: to the API the objects are broken.
      const headers = { authorization: "Bearer edge-test" };
      if (how !== "hangs") {
        expect(
          (await visit(url, { host: "localhost", path: "/v1/sites/shop/summary", headers })).status,
        ).toBe(503);
      }
      expect(await failedVisits(url)).toBe(0);
      expect((await visit(url, { host: HOST, body: "still here", method: "POST", cf })).status).toBe(200);
    });
  });

  it.each([
    ["SITES", "no JSON at all"],
    ["SHARDS", "many"],
    ["FLUSH", "1h"],
  ])(
    "EDGE-22: with a wrong %s visitors pass, and the API's own hosts are told its name",
    async (name, value) => {
      await withWorker(HELLOTIDE, { [name]: value }, async (url) => {
        for (let n = 0; n < 20; n++) {
          const got = await visit(url, { host: HOST, method: "POST", body: `visitor ${n}`, cf });
          expect([got.status, `${got.body}`]).toEqual([200, `visitor ${n}`]);
        }
        expect(origin.seen.at(-1)?.headers.host).toBe(HOST);
        const told = await visit(url, { host: "localhost", path: "/healthz" });
        const problem = JSON.parse(`${told.body}`) as { status: number; detail: string };
        expect([told.status, problem.status]).toEqual([500, 500]);
        expect(problem.detail).toMatch(new RegExp(`^${name} is wrong`));
        expect(problem.detail).not.toContain(value);
      });
    },
  );

  it("EDGE-23: an origin that is down is the visitor's answer, and the next visitor is served again", async () => {
    const down = await startOrigin((incoming) => void incoming.destroy());
    const engine = await startWorkerd(
      [{ name: "main", entry: HELLOTIDE, objects: true }],
      new URL(down.url).host,
    );
    try {
      const got = await visit(engine.urls.main!, { host: HOST, cf });
      expect(got.status).toBeGreaterThanOrEqual(500);
      expect((await visit(engine.urls.main!, { host: "localhost", path: "/healthz" })).status).toBe(200);
    } finally {
      await engine.stop();
      await down.stop();
    }
  });
});
