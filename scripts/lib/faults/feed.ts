/**
 * Feed clients that go away and come back with their cursor, a thousand times, while the server is killed under them: each
 * must have every event once and in order, and every fingerprint that a threshold raised must be among them.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Draw } from "../../../src/simulate/random.ts";
import { putRule, rule, withoutStorms } from "../../../test/contract/helpers/rules.ts";
import { until } from "../../../test/support/client.ts";
import { type Feed, openFeed, stored } from "../../../test/support/stream.ts";
import { atLeast, balanced, exactly, type Fault, type FaultContext, type Figure, shown } from "./fault.ts";
import { completed, makeBatch } from "./ledger.ts";
import { FaultServer } from "./server.ts";
import { Workshop } from "./workshop.ts";

const SITE = "shop";
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
  about: "clients of the feed reconnect by cursor, with kills between: no gap, no repeat, in order",
  run: (context) => run(context.quick ? 60 : 1_000, context.quick ? 25 : 50, context),
};

/** What one client has processed. */
class Reader {
  readonly sequences: number[] = [];
  readonly subjects: string[] = [];
  /** Feed.gap events: the feed itself says that it forgot something. */
  gaps = 0;
  connections = 0;

  get cursor(): string {
    return `${this.sequences.at(-1) ?? 0}`.padStart(16, "0");
  }

  /** Takes in the first `limit` new events of a connection; what else came is as good as never received. */
  process(connection: Feed, limit = Number.POSITIVE_INFINITY): void {
    this.gaps += connection.events.filter(({ type }) => type === "hellotide.feed.gap").length;
    for (const event of stored(connection).slice(0, limit)) {
      this.sequences.push(Number(event.sequence));
      if (event.type === "hellotide.threshold.raised") this.subjects.push(event.subject ?? "");
    }
  }

  /** Events that are not the next one after the last: `missing` or again. */
  faults(): { missing: number; again: number } {
    let missing = 0;
    let again = 0;
    let last = 0;
    for (const sequence of this.sequences) {
      if (sequence > last + 1) missing += sequence - last - 1;
      if (sequence <= last) again++;
      last = Math.max(last, sequence);
    }
    return { missing, again };
  }
}

async function run(reconnects: number, killEvery: number, { log }: FaultContext): Promise<Figure[]> {
  const workshop = new Workshop();
  const server = await FaultServer.open({
    ...{ root: await workshop.bundle(), disk: workshop.folder(), shards: 4 },
    settings: { TICK: "1s" },
  });
  const readers = Array.from({ length: READERS }, () => new Reader());
  const connections = () => readers.reduce((sum, one) => sum + one.connections, 0);
  const made: string[] = [];
  let kills = 0;
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
    const killer = async () => {
      while (!done) {
        await sleep(RETRY_MS);
        if (connections() < (kills + 1) * killEvery) continue;
        kills++;
        await server.kill();
        await server.start();
        if (kills % 5 === 0) log(`${connections()} connections, ${kills} kills, ${made.length} fingerprints`);
      }
    };
    const come = async (reader: Reader, i: number) => {
      const draw = new Draw("feed", SEED, i);
      while (!done) {
        if (!(await visitFeed(server, reader, draw))) await sleep(RETRY_MS);
        if (connections() >= reconnects) done = true;
      }
    };
    await Promise.all([maker(), killer(), ...readers.map(come)]);

    const newest = await untilAllRaised(server, made);
    for (const reader of readers) await drain(server, reader, newest);
    const all = readers.map((reader) => reader.faults());
    const raised = new Set(readers[0]?.subjects);
    return [
      atLeast("reconnects", connections(), reconnects),
      shown("kills between them", kills),
      shown(`events, each read by ${READERS} clients`, newest),
      exactly("gaps", sumOf(all, "missing") + readers.reduce((sum, { gaps }) => sum + gaps, 0), 0),
      exactly("duplicates or out of order", sumOf(all, "again"), 0),
      exactly(
        "clients that did not reach the end",
        readers.filter(({ cursor }) => Number(cursor) !== newest).length,
        0,
      ),
      exactly("fingerprints raised twice", (readers[0]?.subjects.length ?? 0) - raised.size, 0),
      balanced(
        "fingerprints",
        ["made", made.length],
        ["raised", made.filter((ja4) => raised.has(ja4)).length],
      ),
    ];
  } finally {
    done = true;
    await server.kill();
    workshop.close();
  }
}

function sumOf(all: readonly { missing: number; again: number }[], name: "missing" | "again"): number {
  return all.reduce((sum, one) => sum + one[name], 0);
}

/** One connection; false when the server did not take it. */
async function visitFeed(server: FaultServer, reader: Reader, draw: Draw): Promise<boolean> {
  const connection = await openFeed(server, SITE, { query: `since=${reader.cursor}` }).catch(() => undefined);
  if (connection === undefined) return false;
  reader.connections++;
  await sleep(draw.int(STAY_MS));
  // Now and then it "crashes" with a part of what it received not processed.
  reader.process(connection, draw.chance(0.3) ? draw.int(5) : undefined);
  connection.close();
  return true;
}

/** Waits until a client that reads everything from the start has seen every fingerprint; answers the newest sequence. */
async function untilAllRaised(server: FaultServer, made: readonly string[]): Promise<number> {
  const reader = new Reader();
  return await until("every fingerprint raised", DRAIN_MS, async () => {
    const draw = new Draw("feed", SEED, "all");
    await visitFeed(server, reader, draw);
    const seen = new Set(reader.subjects);
    return made.every((ja4) => seen.has(ja4)) ? reader.sequences.at(-1) : undefined;
  });
}

async function drain(server: FaultServer, reader: Reader, newest: number): Promise<void> {
  await until(`cursor ${newest}`, DRAIN_MS, async () => {
    const connection = await openFeed(server, SITE, { query: `since=${reader.cursor}` });
    await sleep(STAY_MS);
    reader.process(connection);
    connection.close();
    return Number(reader.cursor) >= newest ? true : undefined;
  });
}
