/**
 * Feed clients that open a subscription and then never read, as WebSockets and as server-sent events. The engine must not keep
 * for them what they do not fetch, must cut them off, and must not let anybody else wait.
 *
 * A WebSocket says itself what it has taken. For server-sent events the Worker says it, for what the connection took: with
 * an operating system in between that is as much as its buffers hold, some megabytes, before the credit begins to go down.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { FEED_UNACKED_MAX_BYTES, SSE_DRAIN_MS } from "../../../src/base/feed-limits.ts";
import { putRule, rule, withoutStorms } from "../../../test/contract/helpers/rules.ts";
import { ingestAll, ja4Of, until } from "../../../test/support/client.ts";
import { EventStream } from "../../../test/support/event-stream.ts";
import { type Feed, openFeed, stored } from "../../../test/support/stream.ts";
import {
  atLeast,
  balanced,
  exactly,
  type Fault,
  type FaultContext,
  type Figure,
  shown,
  under,
} from "./fault.ts";
import { FaultServer } from "./server.ts";
import { Sleeper, type SleeperKind } from "./sleepers.ts";
import { Workshop } from "./workshop.ts";

const SITE = "shop";
/** So many that what each of them costs stands out from the noise of the engine's own memory. */
const LAGGARDS = 16;
/** Fingerprints that are raised at once; each is an event of some 860 bytes, all of them less than the credit. */
const BATCH = 1_000;
const BATCH_EVERY_MS = 300;
/** Enough for what the system's buffers hold of a stream, and the credit after that. */
const BATCHES_MAX = 14;
/** Events past this are sent for as long as WebSockets sleep on. */
const BYTES_PAST = 1.4 * FEED_UNACKED_MAX_BYTES;
const ACK_EVERY = 50;
const CUT_MAX_MS = 10_000;
const GROWTH_MAX_MB = 5;
const WAIT_MS = 30_000;
const POLL_MS = 100;
const DRAIN_SLACK_MS = 1_000;

export const laggard: Fault = {
  name: "laggard",
  about: "clients of the feed that never read: memory stays, they are cut, nobody else waits",
  run: async (context) => {
    const sockets = await run({ kind: "websocket", laggards: LAGGARDS }, context);
    const none = await run({ kind: "websocket", laggards: 0, batches: sockets.grownMb.length }, context);
    const streams = await run({ kind: "event-stream", laggards: LAGGARDS }, context);
    // Encoding so much for so many leaves garbage, whoever reads it: only beside those who do is there a cost of not reading.
    const reading = context.quick
      ? undefined
      : await run(
          { kind: "event-stream", laggards: LAGGARDS, batches: streams.grownMb.length, areAwake: true },
          context,
        );
    return [
      ...figuresOf("websocket", sockets),
      ...growth("against none", sockets, none),
      under("bytes kept for one, at most", sockets.most, FEED_UNACKED_MAX_BYTES + 10_000, "B"),
      atLeast("bytes kept for one, at least", sockets.least, FEED_UNACKED_MAX_BYTES / 2),
      ...figuresOf("event-stream", streams),
      ...(reading === undefined ? [] : growth("against one that reads", streams, reading)),
      shown("bytes that a connection itself took, at most", streams.most),
      exactly(`of ${LAGGARDS} whose last id resumes with the next event`, streams.resumed, LAGGARDS),
    ];
  },
};

function figuresOf(kind: SleeperKind, outcome: Outcome): Figure[] {
  return [
    shown(`${kind}: events after the last one that was fetched`, outcome.missed),
    exactly(`laggards of ${LAGGARDS} that were told that they are cut`, outcome.cut, LAGGARDS),
    exactly("of those that had not every event before it, once", outcome.incomplete, 0),
    under("cut after passing the limit, at most", outcome.cutMs, CUT_MAX_MS, "ms"),
    balanced("another client's events", ["raised", outcome.made], ["received", outcome.received]),
    exactly("times that it was cut", outcome.readerCut, 0),
  ];
}

/** Where the system does not tell the memory, nothing can be said of it. */
function growth(against: string, one: Outcome, other: Outcome): Figure[] {
  const perClientMb = ((one.grownMb.at(-1) ?? Number.NaN) - (other.grownMb.at(-1) ?? Number.NaN)) / LAGGARDS;
  return Number.isNaN(perClientMb)
    ? []
    : [under(`the engine's growth for one, ${against}`, perClientMb, GROWTH_MAX_MB, "MB")];
}

interface Run {
  readonly kind: SleeperKind;
  readonly laggards: number;
  /** How often events are raised; absent = until they are cut. */
  readonly batches?: number;
  /** The control: they read. */
  readonly areAwake?: boolean;
}

interface Outcome {
  /** Growth of the engine since the laggards came, after each batch. */
  readonly grownMb: readonly number[];
  readonly made: number;
  readonly missed: number;
  readonly cut: number;
  readonly incomplete: number;
  readonly cutMs: number;
  /** Bytes of events that one was left, when it woke up. */
  readonly most: number;
  readonly least: number;
  readonly resumed: number;
  readonly received: number;
  readonly readerCut: number;
}

async function run(
  { kind, laggards, batches, areAwake = false }: Run,
  { log }: FaultContext,
): Promise<Outcome> {
  const workshop = new Workshop();
  const server = await FaultServer.open({
    ...{ root: await workshop.bundle(), disk: workshop.folder(), shards: 1 },
    settings: { TICK: "1s" },
  });
  const sleepers: Sleeper[] = [];
  const census = new Census(server);
  try {
    const when = { signal: "reqs", window: "1h", op: ">", value: 0 };
    await withoutStorms(server.client, SITE);
    await putRule(server.client, SITE, rule("first", { when }));
    for (let n = 0; n < laggards; n++) sleepers.push(await Sleeper.open(server, SITE, kind));
    const awake = areAwake ? sleepers.map((one) => one.wake()) : [];
    const reader = new AckingReader(await openFeed(server, SITE));
    await census.until(laggards + 1);
    const before = server.rssMb() ?? Number.NaN;
    const grownMb: number[] = [];
    const isEnough = () => {
      if (batches !== undefined) return grownMb.length === batches;
      return kind === "websocket" ? reader.bytesAfter(0) > BYTES_PAST : census.isBackAt(1);
    };
    void census.watch();
    let made = 0;
    while (!isEnough() && grownMb.length < BATCHES_MAX) {
      await raiseBatch(server, made);
      made += BATCH;
      const arrived = async () => (reader.arrivals.length >= made ? true : undefined);
      await until(`${made} events`, WAIT_MS, arrived, 20);
      await sleep(BATCH_EVERY_MS);
      grownMb.push((server.rssMb() ?? Number.NaN) - before);
    }
    // For so long a stream that begins to read again gets what is still held for it.
    if (kind === "event-stream" && !areAwake) await sleep(SSE_DRAIN_MS + DRAIN_SLACK_MS);
    log(
      `${made} events past ${laggards} that ${areAwake ? "read" : "do not read"} (${kind}): ${grownMb.at(-1)?.toFixed(1)} MB`,
    );

    const wokenMs = performance.now();
    if (areAwake) for (const one of sleepers) one.end();
    const ends = await Promise.all(areAwake ? awake : sleepers.map((one) => one.wake()));
    const lasts = ends.map(({ last }) => last);
    // They were cut before they woke up. A WebSocket had passed the limit with the first event that it did not get; a stream
    // with the first one that the credit had no room for, after what the connection took.
    const cutMs = lasts.map((last) => {
      const passedMs = reader.passedMs(last, kind === "websocket" ? 0 : FEED_UNACKED_MAX_BYTES);
      return wokenMs - passedMs;
    });
    const kept = ends.map(({ bytes }) => bytes);
    return {
      ...{ grownMb, made, missed: made - Math.max(0, ...lasts) },
      cut: ends.filter(({ isCut }) => isCut).length,
      incomplete: ends.filter(({ isComplete }) => !isComplete).length,
      cutMs: Math.max(0, ...cutMs),
      ...{ most: Math.max(0, ...kept), least: Math.min(...kept) },
      resumed: kind === "event-stream" && !areAwake ? await resumedOf(server, lasts) : 0,
      received: new Set(stored(reader.feed).map(({ sequence }) => sequence)).size,
      readerCut: reader.isClosed ? 1 : 0,
    };
  } finally {
    census.end();
    for (const one of sleepers) one.end();
    await server.kill();
    workshop.close();
  }
}

/** How many of the cut ones get the next event first, when they come back with the id of their last one. */
async function resumedOf(server: FaultServer, lasts: readonly number[]): Promise<number> {
  let resumed = 0;
  for (const last of lasts) {
    const stream = await EventStream.open(server, SITE, { lastId: `${last}`.padStart(16, "0") });
    const first = await until("an event after the last", WAIT_MS, async () =>
      stream.messages.find(({ event }) => event.sequence !== undefined),
    );
    if (Number(first.event.sequence) === last + 1) resumed++;
    stream.close();
  }
  return resumed;
}

/** One request each of `BATCH` new fingerprints, with evidence of some length. */
async function raiseBatch(server: FaultServer, first: number): Promise<void> {
  const timestamp = Date.now() - 50;
  const records = Array.from({ length: BATCH }, (_, i) => ({
    ...{ timestamp, ja4: ja4Of(first + i), path: `/${"long/".repeat(20)}${first + i}` },
    ...{
      host: "www.shop.example",
      method: "POST",
      status: 401,
      asn: 64_500,
      ray_id: `${first + i}`.padStart(16, "0"),
    },
  }));
  await ingestAll(server.client, SITE, records);
}

/** How many clients the feed itself counts, over time. */
class Census {
  readonly #server: FaultServer;
  readonly #looks: number[] = [];
  #isOver = false;

  constructor(server: FaultServer) {
    this.#server = server;
  }

  async until(clients: number): Promise<void> {
    const isSo = async () => ((await this.#count()) === clients ? true : undefined);
    await until(`${clients} clients`, WAIT_MS, isSo);
  }

  async watch(): Promise<void> {
    while (!this.#isOver) {
      this.#looks.push(await this.#count().catch(() => Number.NaN));
      await sleep(POLL_MS);
    }
  }

  isBackAt(clients: number): boolean {
    return this.#looks.includes(clients);
  }

  end(): void {
    this.#isOver = true;
  }

  async #count(): Promise<number> {
    const { text } = await this.#server.client.get("/metrics");
    return Number(new RegExp(`^hellotide_feed_clients\\{site="${SITE}"\\} (\\d+)$`, "m").exec(text)?.[1]);
  }
}

/** A client that does as it should: acknowledges what it has read. */
class AckingReader {
  readonly feed: Feed;
  /** When each event came, and its length. */
  readonly arrivals: number[] = [];
  readonly #lengths: number[] = [];
  isClosed = false;

  constructor(opened: Feed) {
    this.feed = opened;
    const note = (one: Feed): boolean => {
      const events = stored(one);
      for (let n = this.arrivals.length; n < events.length; n++) {
        this.arrivals.push(performance.now());
        this.#lengths.push(JSON.stringify(events[n]).length);
        if (n % ACK_EVERY === 0) one.send(JSON.stringify({ type: "ack", cursor: events[n]?.sequence }));
      }
      return false;
    };
    // Looks at every message for as long as the socket is open; its end is what ends this.
    void opened.waitUntil("the end", note, 2 ** 31 - 1).catch(() => {
      this.isClosed = true;
    });
  }

  /** Of the events after the first `count`. */
  bytesAfter(count: number): number {
    return this.#lengths.slice(count).reduce((sum, length) => sum + length, 0);
  }

  /** When more than `bytes` had come after the first `count` events, ms; long ago when never: a run too short shows nothing. */
  passedMs(count: number, bytes: number): number {
    let sum = 0;
    for (let n = count; n < this.#lengths.length; n++) {
      sum += this.#lengths[n]!;
      if (sum > bytes) return this.arrivals[n]!;
    }
    return Number.NEGATIVE_INFINITY;
  }
}
