/** Floods, one after another, of fingerprints that a site has known for an hour: how long until each stands in the feed. */
import { setTimeout as sleep } from "node:timers/promises";
import { ingest, ja4Of } from "../../../test/support/client.ts";
import { type FeedEvent, openFeed } from "../../../test/support/stream.ts";
import { exactly, type Fault, type FaultContext, type Figure, quantile, shown, under } from "./fault.ts";
import { FaultServer } from "./server.ts";
import { Workshop } from "./workshop.ts";

const SITE = "shop";
const FINGERPRINTS = 60;
const BACK_MINUTES = 45;
const USUAL_PER_MINUTE = 6;
/** A flood: so many requests a second, for so long at most, each flood so long after the one before. */
const PER_SECOND = 60;
const LASTS_SECONDS = 20;
const EVERY_MS = 3_000;
const LATENCY_MAX_S = 10;

export const flood: Fault = {
  name: "flood",
  about: "floods of known fingerprints: seconds from the first request to the feed, at the default tick",
  run,
};

async function run({ quick, log }: FaultContext): Promise<Figure[]> {
  const floods = quick ? 3 : 20;
  const workshop = new Workshop();
  const server = await FaultServer.open({
    root: await workshop.bundle(),
    disk: workshop.folder(),
    sites: [SITE],
  });
  const { client } = server;
  const post = (records: unknown[]) => ingest(client, SITE, records);
  try {
    const nowMs = Date.now();
    const usual: unknown[] = [];
    for (let i = 0; i < FINGERPRINTS; i++)
      for (let back = BACK_MINUTES * USUAL_PER_MINUTE; back > 0; back--)
        usual.push({
          timestamp: nowMs - (back * 60_000) / USUAL_PER_MINUTE - i * 100,
          ja4: ja4Of(i),
          status: 200,
        });
    for (let at = 0; at < usual.length; at += 5_000) await post(usual.slice(at, at + 5_000));
    const feed = await openFeed(server, SITE, { query: "since=0" });
    const started = new Map<string, number>();
    const raised = (ja4: string) => (event: FeedEvent) =>
      event.type === "hellotide.anomaly.raised" && event.subject === ja4;
    const took = Array.from({ length: floods }, async (_, i) => {
      await sleep(i * EVERY_MS);
      const ja4 = ja4Of(i);
      started.set(ja4, performance.now());
      let isSeen = false;
      const seen = feed.waitFor(`the flood of ${ja4}`, raised(ja4), LASTS_SECONDS * 1_000).then(() => {
        isSeen = true;
        return (performance.now() - started.get(ja4)!) / 1_000;
      });
      for (let second = 0; second < LASTS_SECONDS && !isSeen; second++) {
        const at = Date.now();
        await post(Array.from({ length: PER_SECOND }, (_, n) => ({ timestamp: at - n, ja4, status: 200 })));
        await sleep(Math.max(1_000 - (Date.now() - at), 0));
      }
      const seconds = await seen.catch(() => Number.POSITIVE_INFINITY);
      log(`flood ${i + 1} of ${floods}: ${seconds.toFixed(1)} s`);
      return seconds;
    });
    const seconds = await Promise.all(took);
    return [
      exactly("floods that were not told", seconds.filter((s) => !Number.isFinite(s)).length, 0),
      shown("first request to the feed, p50", `${quantile(seconds, 0.5).toFixed(1)} s`),
      under("first request to the feed, p95", quantile(seconds, 0.95), LATENCY_MAX_S, "s"),
    ];
  } finally {
    await server.stop();
    workshop.close();
  }
}
