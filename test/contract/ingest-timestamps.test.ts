/** Timestamps: what counts, what has expired, what is rejected. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Client,
  createClient,
  fullForm,
  type IngestAnswer,
  ingest,
  ingestAll,
  ja4Of,
} from "../support/client.ts";
import { startServer } from "../support/server.ts";
import { answerFaults } from "./helpers/openapi.ts";

const SITE = "shop";
const JA4 = ja4Of(1);
let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;

beforeAll(async () => {
  server = await startServer({ sites: [SITE] });
  client = createClient(server);
}, 30_000);
afterAll(() => server?.stop());

const now = (): number => Date.now() - 1_001;

async function outcome(record: unknown): Promise<IngestAnswer> {
  const answer = await ingest(client, SITE, [record]);
  expect(answer.status).toBe(202);
  return answer.json<IngestAnswer>();
}

describe("the timestamp", () => {
  const seconds = (offset: number): number => Date.now() + offset * 1_000;
  const cases: readonly [what: string, value: () => unknown, field: "accepted" | "rejected" | "expired"][] = [
    ["integer ms", () => seconds(-5), "accepted"],
    ["RFC 3339 in UTC", () => new Date(seconds(-5)).toISOString(), "accepted"],
    [
      "RFC 3339 without a fraction",
      () => new Date(seconds(-5)).toISOString().replace(/\.\d+/, ""),
      "accepted",
    ],
    [
      "RFC 3339 with nanoseconds",
      () => new Date(seconds(-5)).toISOString().replace("Z", "456789Z"),
      "accepted",
    ],
    [
      "RFC 3339 with an offset",
      () => new Date(seconds(7_200 - 5)).toISOString().replace("Z", "+02:00"),
      "accepted",
    ],
    ["59 min old", () => seconds(-59 * 60), "accepted"],
    ["50 s ahead", () => seconds(50), "accepted"],
    ["61 min old", () => seconds(-61 * 60), "expired"],
    ["a year old", () => seconds(-365 * 86_400), "expired"],
    ["61 s ahead and more", () => seconds(63), "rejected"],
    ["a year ahead", () => seconds(365 * 86_400), "rejected"],
    ["seconds since 1970", () => Math.floor(seconds(0) / 1_000), "rejected"],
    ["0", () => 0, "rejected"],
    ["negative", () => -1, "rejected"],
    ["a fraction of a ms", () => seconds(-5) + 0.5, "rejected"],
    ["digits in a string", () => String(seconds(-5)), "rejected"],
    ["a date without time", () => "2026-11-23", "rejected"],
    ["local time without an offset", () => new Date(seconds(-5)).toISOString().replace("Z", ""), "rejected"],
    ["30 February", () => "2026-02-30T00:00:00Z", "rejected"],
    ["words", () => "yesterday", "rejected"],
    ["null", () => null, "rejected"],
    ["empty", () => "", "rejected"],
    ["a boolean", () => true, "rejected"],
    ["an object", () => ({}), "rejected"],
  ];
  it.each(cases)("TIME-1: %s is as the contract says", async (_what, value, field) => {
    const expected = { accepted: 0, rejected: 0, expired: 0, [field]: 1 };
    const { accepted, rejected, expired } = await outcome({ timestamp: value(), ja4: JA4 });
    expect({ accepted, rejected, expired }).toEqual(expected);
  });

  it("TIME-2: a record without a timestamp is rejected", async () => {
    expect((await outcome({ ja4: JA4 })).rejected).toBe(1);
  });

  it("TIME-3: seconds instead of milliseconds are rejected with a hint", async () => {
    const answer = await outcome({ timestamp: Math.floor(Date.now() / 1_000), ja4: JA4 });
    expect(answer.errors[0]?.detail).toMatch(/seconds/i);
  });

  it("TIME-4: what is ahead counts only once its time has come", async () => {
    const ja4 = ja4Of(8);
    await ingestAll(client, SITE, [
      { timestamp: now(), ja4 },
      { timestamp: Date.now() + 50_000, ja4 },
    ]);
    expect((await fullForm(client, SITE, ja4)).windows["1h"].reqs).toBe(1);
  });

  it("API-2: every answer of this file is as /openapi.json describes it", async () => {
    expect((await answerFaults(client)).slice(0, 10)).toEqual([]);
  });
});
