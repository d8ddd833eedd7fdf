/**
 * Feed clients that go away and come back with their cursor, a thousand times, while the feed's object is evicted and the
 * server killed under them: each must have every event once and in order, and every fingerprint that a threshold raised must
 * be among them. Half of them are WebSockets, half take server-sent events and come back with Last-Event-ID.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Draw } from "../../../src/simulate/random.ts";
import { putRule, rule, withoutStorms } from "../../../test/contract/helpers/rules.ts";
import { until } from "../../../test/support/client.ts";
import { atLeast, balanced, exactly, type Fault, type FaultContext, shown } from "./fault.ts";
import { FAULTY, order } from "./faulty.ts";
import { FeedReader, WAYS, type Way } from "./feed-reader.ts";
import { completed, makeBatch } from "./ledger.ts";
import { FaultServer } from "./server.ts";
import { type Variant, Workshop } from "./workshop.ts";

const SITE = "shop";
const FEED = `v1/${SITE}/feed`;
const READERS = 8;
/** A reader stays for a random time up to this, ms. */
const STAY_MS = 120;
/** New fingerprints come in batches of so many, so long after each other. */
const BATCH = 3;
const BATCH_EVERY_MS = 60;
const RETRY_MS = 25;
const DRAIN_MS = 60_000;
const SEED = 5;

export const feed: Fault = {
  name: "feed",
  about:
    "clients of the feed reconnect by cursor, with evictions and kills between: no gap, no repeat, in order",
  run: async (context) => {
    const outcome = await feedRun({}, context.quick ? 60 : 1_000, context.quick ? 12 : 25, context);
    return [
      atLeast("reconnects", outcome.reconnects, context.quick ? 60 : 1_000),
      atLeast("of those, of server-sent events", outcome.ofStreams, context.quick ? 20 : 333),
      shown("evictions and kills between them", `${outcome.evictions} and ${outcome.kills}`),
      shown(`events, each read by ${READERS} clients`, outcome.newest),
      exactly("gaps", outcome.missing + outcome.gaps, 0),
      exactly("duplicates or out of order", outcome.again, 0),
      exactly("clients that did not reach the end", outcome.short, 0),
      exactly("server-sent events with another's id or type", outcome.mislabelled, 0),
      exactly("fingerprints raised twice", outcome.raisedTwice, 0),
      balanced("fingerprints", ["made", outcome.made], ["raised", outcome.raised]),
    ];
  },
};

export const feedAgain: Fault = {
  name: "feed-again",
  about: "the control: a feed that sends the event of the cursor once more must be found out",
  run: async (context) => {
    const sendsAgain = {
      file: "durable-objects/feed-sockets.ts",
      from: "this.#replay(member, since, nowMs);",
      to: "this.#replay(member, Math.max(0, since - 1), nowMs);",
    };
    const { reconnects, again } = await feedRun({ replacements: [sendsAgain] }, 60, 12, context);
    return [shown("reconnects", reconnects), atLeast("duplicates or out of order", again, 1)];
  },
};

interface Outcome {
  readonly reconnects: number;
  readonly ofStreams: number;
  readonly evictions: number;
  readonly kills: number;
  readonly newest: number;
  /** Summed over all clients. */
  readonly missing: number;
  readonly again: number;
  /** Messages in which the feed says that it forgot something. */
  readonly gaps: number;
  /** Clients that did not reach the newest event. */
  readonly short: number;
  readonly mislabelled: number;
  readonly made: number;
  readonly raised: number;
  readonly raisedTwice: number;
}

/** `harmEvery`: connections between an eviction and a kill, and the next eviction. */
async function feedRun(
  variant: Variant,
  reconnects: number,
  harmEvery: number,
  { log }: FaultContext,
): Promise<Outcome> {
  const workshop = new Workshop();
  const server = await FaultServer.open({
    ...{ root: await workshop.bundle({ entry: FAULTY, ...variant }), disk: workshop.folder(), shards: 4 },
    settings: { TICK: "1s" },
  });
  const readers = Array.from({ length: READERS }, (_, i) => new FeedReader(WAYS[i % WAYS.length]!, SITE));
  const connections = (way?: Way) =>
    readers.reduce((sum, one) => sum + (way === undefined || one.way === way ? one.connections : 0), 0);
  const made: string[] = [];
  let harms = 0;
  const kills = () => Math.floor(harms / 2);
  let done = false;
  try {
    await withoutStorms(server.client, SITE);
    await putRule(
      server.client,
      SITE,
      rule("first", { when: { signal: "reqs", window: "1h", op: ">", value: 0 } }),
    );
    const maker = async () => {
      for (let n = 0; !done; n++) {
        const batch = makeBatch(0, n, BATCH, Date.now());
        await completed(server.client, SITE, batch);
        made.push(...batch.ja4s);
        await sleep(BATCH_EVERY_MS);
      }
    };
    const harmer = async () => {
      while (!done) {
        await sleep(RETRY_MS);
        if (connections() < (harms + 1) * harmEvery) continue;
        if (++harms % 2 === 1) {
          await order(server.client, FEED, "evict");
          continue;
        }
        await server.kill();
        await server.start();
        if (kills() % 5 === 0)
          log(`${connections()} connections, ${kills()} kills, ${made.length} fingerprints`);
      }
    };
    const come = async (reader: FeedReader, i: number) => {
      const draw = new Draw("feed", SEED, i);
      while (!done) {
        if (!(await visitFeed(server, reader, draw))) await sleep(RETRY_MS);
        // A client without a cursor shows nothing of coming back with one.
        if (connections() >= reconnects && readers.every(({ last }) => last > 0)) done = true;
      }
    };
    await Promise.all([maker(), harmer(), ...readers.map(come)]);

    const newest = await untilAllRaised(server, made);
    for (const reader of readers) await drain(server, reader, newest);
    const sum = (count: (reader: FeedReader) => number) =>
      readers.reduce((total, reader) => total + count(reader), 0);
    const subjects = readers[0]?.subjects ?? [];
    const raised = new Set(subjects);
    return {
      ...{ reconnects: connections(), ofStreams: connections("event-stream") },
      ...{ evictions: harms - kills(), kills: kills(), newest },
      missing: sum((reader) => reader.faults().missing),
      again: sum((reader) => reader.faults().again),
      gaps: sum(({ gaps }) => gaps),
      short: sum(({ last }) => (last === newest ? 0 : 1)),
      mislabelled: sum((reader) => reader.mislabelled),
      made: made.length,
      raised: made.filter((ja4) => raised.has(ja4)).length,
      raisedTwice: subjects.length - raised.size,
    };
  } finally {
    done = true;
    await server.kill();
    workshop.close();
  }
}

/** One connection; false when the server did not take it. */
async function visitFeed(server: FaultServer, reader: FeedReader, draw: Draw): Promise<boolean> {
  const connection = await reader.connect(server);
  if (connection === undefined) return false;
  await sleep(draw.int(STAY_MS));
  // Now and then it "crashes" with a part of what it received not processed.
  reader.process(connection, draw.chance(0.3) ? draw.int(5) : undefined);
  connection.close();
  return true;
}

/** Waits until a client that reads everything from the start has seen every fingerprint; answers the newest sequence. */
async function untilAllRaised(server: FaultServer, made: readonly string[]): Promise<number> {
  const reader = new FeedReader("websocket", SITE);
  return await until("every fingerprint raised", DRAIN_MS, async () => {
    const draw = new Draw("feed", SEED, "all");
    await visitFeed(server, reader, draw);
    const seen = new Set(reader.subjects);
    return made.every((ja4) => seen.has(ja4)) ? reader.last : undefined;
  });
}

async function drain(server: FaultServer, reader: FeedReader, newest: number): Promise<void> {
  await until(`cursor ${newest}`, DRAIN_MS, async () => {
    const connection = await reader.connect(server);
    if (connection === undefined) return undefined;
    await sleep(STAY_MS);
    reader.process(connection);
    connection.close();
    return reader.last >= newest ? true : undefined;
  });
}
