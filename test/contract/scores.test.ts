/** Bot scores and detection ids as users read them back (contract §4, `bot_score`). */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Client, createClient, fullForm, ingestAll, ja4Of } from "../support/client.ts";
import { startServer } from "../support/server.ts";

const SITE = "shop";
let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;

beforeAll(async () => {
  server = await startServer({ sites: [SITE] });
  client = createClient(server);
}, 30_000);
afterAll(() => server?.stop());

describe("bot_score", () => {
  it("SCORE-11: the full form has the scores ascending and the detection ids, most frequent first", async () => {
    const record = (over: object) => ({ timestamp: Date.now() - 1_000, ja4: ja4Of(1), ...over });
    await ingestAll(client, SITE, [
      ...Array.from({ length: 80 }, () => record({ bot_score: 99, detection_ids: {} })),
      ...Array.from({ length: 40 }, (_, i) =>
        record({ bot_score: 1, detection_ids: i < 12 ? [152_120_193, 7] : [7] }),
      ),
      record({ bot_score: 0 }),
      record({}),
      record({ ja4: ja4Of(2), bot_score: 0 }),
    ]);
    const form = await fullForm(client, SITE, ja4Of(1));
    expect(form.bot_score).toEqual({
      histogram: [
        [1, 40],
        [99, 80],
      ],
      detection_ids: [
        [7, 40],
        [152_120_193, 12],
      ],
    });
    expect(await fullForm(client, SITE, ja4Of(2))).not.toHaveProperty("bot_score");
  });
});
