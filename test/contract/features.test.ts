/** The export of feature rows against the full form, from a real server. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Client, createClient, fullForm, ingestAll, ja4Of, problemFaults } from "../support/client.ts";
import { startServer } from "../support/server.ts";
import { answerFaults } from "./helpers/openapi.ts";

const PATH = "/v1/sites/shop/features";
let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;

beforeAll(async () => {
  server = await startServer({ sites: ["shop"] });
  client = createClient(server);
  const timestamp = Date.now() - 1_000;
  const records = Array.from({ length: 2_400 }, (_, i) => ({
    timestamp,
    ja4: ja4Of(i % 1_200),
    status: 200,
  }));
  await ingestAll(client, "shop", records);
}, 60_000);
afterAll(() => server?.stop());

describe("…/features", () => {
  it("FEAT-6: both formats hold every fingerprint in order, with the full form's values", async () => {
    const ndjson = await client.get(PATH);
    expect(ndjson.headers.get("content-type")).toBe("application/x-ndjson");
    const rows = ndjson.text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const ja4s = rows.map(({ ja4 }) => ja4);
    expect(ja4s).toEqual(Array.from({ length: 1_200 }, (_, i) => ja4Of(i)).sort());
    const form = await fullForm(client, "shop", ja4Of(7));
    expect(rows[ja4s.indexOf(ja4Of(7))]).toMatchObject({
      ...{ feature_version: 1, site: "shop", windows_1h_reqs: form.windows["1h"].reqs },
      local_error_ratio_1h: form.local.error_ratio_1h,
    });
    const csv = await client.get(`${PATH}?format=csv&ja4=*${ja4Of(7).slice(-12)}`);
    expect(csv.headers.get("content-type")).toBe("text/csv; charset=utf-8; header=present");
    const [head, line, rest] = csv.text.split("\r\n");
    const at = head!.split(",").indexOf("windows_1h_reqs");
    expect([line!.split(",")[2], line!.split(",")[at], rest]).toEqual([ja4Of(7), "2", ""]);
    expect((await client.get(PATH, { headers: { accept: "text/csv" } })).text.startsWith(head!)).toBe(true);
  });

  it("PRF-9: what was there before is there exactly once, in order, in both formats, while uploads go on", async () => {
    const there = Array.from({ length: 1_200 }, (_, i) => ja4Of(i));
    const before = Array.from({ length: 6_000 }, (_, i) => ja4Of(10_000 + 7 * i));
    const send = (ja4s: readonly string[]) =>
      ingestAll(
        client,
        "shop",
        ja4s.map((ja4) => ({ timestamp: Date.now() - 1_000, ja4 })),
      );
    await send(before);
    let reading = true;
    let sent = 0;
    const uploads = (async () => {
      // Those of before again, and new ones between them.
      for (; reading; sent++)
        await send([...before.slice(0, 50), ...[1, 2, 3].map((k) => ja4Of(10_000 + 7 * sent + k))]);
    })();
    for (const format of ["ndjson", "csv"]) {
      const { text } = await client.get(`${PATH}?format=${format}`);
      const lines = text.trimEnd().split(/\r?\n/);
      const ja4s = lines.map((line) => /[tqdx][0-9a-z]{9}_[0-9a-f]{12}_[0-9a-f]{12}/.exec(line)?.[0] ?? "");
      if (format === "csv") expect(ja4s.shift()).toBe("");
      expect(ja4s).toEqual([...new Set(ja4s)].sort());
      expect([...there, ...before].filter((ja4) => !ja4s.includes(ja4))).toEqual([]);
    }
    reading = false;
    await uploads;
    expect(sent).toBeGreaterThan(2);
  }, 60_000);

  it("FEAT-6: a wrong format or glob is 400", async () => {
    for (const query of ["format=xml", "ja4=%3F"]) {
      expect(problemFaults(await client.get(`${PATH}?${query}`), 400)).toEqual([]);
    }
    expect(await answerFaults(client)).toEqual([]);
  });
});
