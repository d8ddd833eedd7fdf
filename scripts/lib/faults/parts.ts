/**
 * One part at a time fails while visitors and uploads go on: a shard, the Census, the feed, the settings; each throws for a
 * while and hangs for a while. Visitors must not notice, what does not need the part goes on, what needs it is refused as
 * 503, and afterwards everything is whole.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { putRule, rule } from "../../../test/contract/helpers/rules.ts";
import { summaryOf, until } from "../../../test/support/client.ts";
import { startOrigin } from "../../../test/support/origin.ts";
import { openFeed, stored } from "../../../test/support/stream.ts";
import { atLeast, balanced, exactly, type Fault, type FaultContext, type Figure, shown } from "./fault.ts";
import { FAULTY, type How, order, shardName } from "./faulty.ts";
import { compare, completed, counted, globOf, rowsOf } from "./ledger.ts";
import { DOWN_SHARD, HOST, Phase, RAISING_LIFE, SHARDS, SITE, VISIT_SLOW_MS, Visitors } from "./phase.ts";
import { FaultServer } from "./server.ts";
import { Workshop } from "./workshop.ts";

const PARTS = {
  shard: shardName(SITE, DOWN_SHARD),
  census: `v1/${SITE}/census`,
  feed: `v1/${SITE}/feed`,
  settings: `v1/${SITE}/settings`,
} as const;
const HOWS: readonly How[] = ["throws", "hangs"];
const WHOLE_MS = 90_000;
const POLL_MS = 500;

export const parts: Fault = {
  name: "parts",
  about: "a shard, the Census, the feed, the settings fail one at a time while visitors and uploads go on",
  run: async (context) => {
    const origin = await startOrigin((incoming, answer) => void incoming.pipe(answer.writeHead(200)));
    const workshop = new Workshop();
    const server = await FaultServer.open({
      root: await workshop.bundle({ entry: FAULTY }),
      ...{ disk: workshop.folder(), shards: SHARDS, testCf: true },
      settings: {
        ...{ SITES: JSON.stringify({ [SITE]: [HOST] }), ORIGIN_URL: origin.url },
        ...{ TICK: "1s", FLUSH: "1s", HASH_KEY: "fault runs 0123456789" },
      },
    });
    try {
      return await run(server, context);
    } finally {
      await server.kill();
      await origin.stop();
      workshop.close();
    }
  },
};

async function run(server: FaultServer, { quick, log }: FaultContext): Promise<Figure[]> {
  const { client } = server;
  const phaseMs = quick ? 1_500 : 8_000;
  const when = { signal: "reqs", window: "1h", op: ">", value: 0 };
  await putRule(client, SITE, rule("first", { ja4: globOf(RAISING_LIFE), when }));
  const visitors = new Visitors(server);
  const phases: Phase[] = [];
  const figures: Figure[] = [];
  for (const [part, object] of [["nothing", ""] as const, ...Object.entries(PARTS)]) {
    for (const how of part === "nothing" ? (["works"] as const) : HOWS) {
      const phase = new Phase(server, part, phases.length);
      phases.push(phase);
      if (object !== "") await order(client, object, how);
      // A hanging part is waited for up to its time-outs: too long for a short run.
      await phase.run(phaseMs, !(quick && how === "hangs"));
      if (object !== "") await order(client, object, "works");
      figures.push(...phase.figures(how));
      log(`${part} ${how}: ${phase.uploads.length} uploads, ${visitors.sent} visitors so far`);
    }
  }
  const uploads = phases.flatMap((phase) => phase.uploads);
  for (const phase of phases) for (const batch of phase.refused) await completed(client, SITE, batch);
  for (const { there } of phases) await completed(client, SITE, there);
  const inTotal = uploads.reduce((sum, one) => sum + rowsOf(one), 0);
  const edge = await untilWhole(server, visitors);

  const wrong = { lost: new Set<string>(), doubled: new Set<string>() };
  for (const { life, uploads: own } of phases) compare(own, await counted(client, SITE, globOf(life)), wrong);
  for (const { there } of phases) compare([there], await counted(client, SITE, there.ja4s[0]!), wrong);
  compare(
    phases.map((phase) => phase.raising),
    await counted(client, SITE, globOf(RAISING_LIFE)),
    wrong,
  );
  const raising = phases.flatMap((phase) => phase.raising.ja4s);
  const summary = await summaryOf(client, SITE);
  const singles = phases.reduce((sum, { raising: one, there }) => sum + rowsOf(one) + rowsOf(there), 0);
  return [
    atLeast("visitors", visitors.sent, phases.length * 10),
    exactly("visitors that failed", visitors.failed, 0),
    exactly(`visitors that waited ${VISIT_SLOW_MS} ms or longer`, visitors.slow, 0),
    shown("visitors, p50 / p99", visitors.latencies()),
    ...figures,
    exactly("uploads lost, once it was back", wrong.lost.size, 0),
    exactly("uploads counted twice", wrong.doubled.size, 0),
    balanced(
      "thresholds crossed",
      ["made", raising.length],
      ["raised once", await raisedOnce(server, raising)],
    ),
    balanced("visitors", ["sent", visitors.sent], ["counted or told as lost", edge.counted + edge.lost]),
    exactly("of those told as lost", edge.lost, 0),
    balanced(
      "all observations",
      ["sent", inTotal + singles + visitors.sent - edge.lost],
      ["in the 1h windows", summary.windows["1h"].reqs],
    ),
  ];
}

/** Lets few visitors trickle in, whose requests send what is left, until every one of them is counted or told as lost. */
async function untilWhole(
  server: FaultServer,
  visitors: Visitors,
): Promise<{ counted: number; lost: number }> {
  const look = async () => {
    const answer = await server.client.get(`/v1/sites/${SITE}/summary`);
    const { sources = {}, since_start: since = {} } = answer.json<{
      sources?: Record<string, number>;
      since_start?: Record<string, number>;
    }>();
    return { counted: sources.edge ?? 0, lost: since.lost_at_edge ?? 0 };
  };
  const deadline = Date.now() + WHOLE_MS;
  for (;;) {
    // A trickle first, then silence until everything of it has been sent.
    for (let n = 0; n < 5; n++) {
      await visitors.one();
      await sleep(POLL_MS);
    }
    await visitors.stop();
    await sleep(3 * POLL_MS);
    const edge = await look();
    if (edge.counted + edge.lost >= visitors.sent || Date.now() > deadline) return edge;
  }
}

/** How many of the fingerprints have exactly one event. */
async function raisedOnce(server: FaultServer, ja4s: readonly string[]): Promise<number> {
  const times = await until("every threshold raised", WHOLE_MS, async () => {
    const feed = await openFeed(server, SITE, { query: "since=0&type=hellotide.threshold.raised" });
    await sleep(POLL_MS);
    feed.close();
    const found = stored(feed).map(({ subject }) => subject);
    const counts = ja4s.map((ja4) => found.filter((subject) => subject === ja4).length);
    return counts.every((count) => count > 0) ? counts : undefined;
  });
  return times.filter((count) => count === 1).length;
}
