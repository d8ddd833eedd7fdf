/** Where a window begins and ends: it covers (`from`, `as_of`], to the millisecond. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Client,
  createClient,
  fingerprintPath,
  fullForm,
  ingestAll,
  ja4Of,
  problemFaults,
  until,
} from "../support/client.ts";
import { between, WINDOWS } from "../support/oracle.ts";
import { startServer } from "../support/server.ts";
import { answerFaults } from "./helpers/openapi.ts";

const SITE = "shop";
let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;

beforeAll(async () => {
  server = await startServer({ sites: [SITE] });
  client = createClient(server);
}, 30_000);
afterAll(() => server?.stop());

describe("the ends of a window", () => {
  it("READ-5: what lies on `from` is outside, what lies on `as_of` inside, whatever second that is", async () => {
    const ja4 = ja4Of(1);
    const newest = Math.floor(Date.now() / 1_000) * 1_000;
    // Each whole second of 6 minutes, and each whole minute of the hour: all slot boundaries of any sensible grain.
    const seconds = Array.from({ length: 360 }, (_, i) => newest - i * 1_000);
    const minutes = Array.from(
      { length: 53 },
      (_, i) => Math.floor(newest / 60_000) * 60_000 - (i + 6) * 60_000,
    );
    const records = [...seconds, ...minutes].map((timestamp) => ({ timestamp, ja4 }));
    await ingestAll(client, SITE, records);
    for (let round = 0; round < 4; round += 1) {
      const form = await fullForm(client, SITE, ja4);
      for (const name of WINDOWS) {
        const from = Date.parse(form.windows[name].from);
        const expected = between(records, from, Date.parse(form.as_of)).length;
        expect({ name, from, reqs: form.windows[name].reqs }).toEqual({ name, from, reqs: expected });
      }
      await new Promise((resolve) => setTimeout(resolve, 1_300));
    }
  }, 20_000);

  it("READ-6: what is a little ahead enters the windows when its time has come, not before", async () => {
    const ja4 = ja4Of(2);
    const ahead = Date.now() + 2_500;
    await ingestAll(client, SITE, [
      { timestamp: Date.now() - 100, ja4 },
      { timestamp: ahead, ja4 },
    ]);
    await until("the second one", 8_000, async () => {
      const form = await fullForm(client, SITE, ja4);
      const due = Date.parse(form.as_of) >= ahead;
      for (const name of WINDOWS)
        expect({ due, reqs: form.windows[name].reqs }).toEqual({ due, reqs: due ? 2 : 1 });
      expect(Date.parse(form.last_seen) === ahead).toBe(due);
      return due || undefined;
    });
  }, 15_000);

  it("READ-7: a fingerprint seen only in times to come is not seen yet: 404", async () => {
    const ja4 = ja4Of(3);
    await ingestAll(client, SITE, [{ timestamp: Date.now() + 45_000, ja4 }]);
    expect(problemFaults(await client.get(fingerprintPath(SITE, ja4)), 404)).toEqual([]);
  });

  it("READ-8: late observations of the hour count in their own windows at once", async () => {
    const ja4 = ja4Of(4);
    const now = Date.now();
    const at = (secondsAgo: number): { timestamp: number; ja4: string } => ({
      timestamp: now - secondsAgo * 1_000,
      ja4,
    });
    for (const [secondsAgo, counts] of [
      [10, [1, 1, 1]],
      [3_000, [1, 1, 2]],
      [200, [1, 2, 3]],
      [20, [2, 3, 4]],
    ] as const) {
      await ingestAll(client, SITE, [at(secondsAgo)]);
      const form = await fullForm(client, SITE, ja4);
      expect({ secondsAgo, counts: WINDOWS.map((name) => form.windows[name].reqs) }).toEqual({
        secondsAgo,
        counts,
      });
    }
  });

  it("API-2: every answer of this file is as /openapi.json describes it", async () => {
    expect((await answerFaults(client)).slice(0, 10)).toEqual([]);
  });
});
