/**
 * Feed clients that open a subscription and then never read, on plain TCP, since a WebSocket client always reads. The engine
 * must not keep for them what they do not fetch, must cut them off, and must not let anybody else wait.
 */
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { FEED_UNACKED_MAX_BYTES } from "../../../src/base/feed-limits.ts";
import { putRule, rule, withoutStorms } from "../../../test/contract/helpers/rules.ts";
import { ingestAll, ja4Of, until } from "../../../test/support/client.ts";
import { type Feed, feedPath, openFeed, stored } from "../../../test/support/stream.ts";
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
import { Workshop } from "./workshop.ts";

const SITE = "shop";
const LAGGARDS = 8;
/** Fingerprints that are raised at once, a second between; each is an event of a few hundred bytes. */
const BATCH = 400;
const BATCH_EVERY_MS = 1_000;
/** Events past this are sent for as long as the laggards sleep on. */
const BYTES_PAST = 1.4 * FEED_UNACKED_MAX_BYTES;
/** Events before the memory is looked at for the first time. */
const WARM_UP = 1;
const ACK_EVERY = 50;
const CUT_MAX_MS = 10_000;
const GROWTH_MAX_MB = 5;
const WAIT_MS = 30_000;
const CLOSE_TRY_AGAIN = 1013;

export const laggard: Fault = {
  name: "laggard",
  about: "clients of the feed that never read: memory stays, they are cut, nobody else waits",
  run: async (context) => {
    const without = await run(0, context);
    const withThem = await run(LAGGARDS, context);
    const perClientMb = (withThem.growthMb - without.growthMb) / LAGGARDS;
    return [
      shown("events after the limit", withThem.events - withThem.delivered),
      exactly(`laggards of ${LAGGARDS} that were closed with ${CLOSE_TRY_AGAIN}`, withThem.cut, LAGGARDS),
      under("cut after passing the limit, at most", withThem.cutMs, CUT_MAX_MS, "ms"),
      under("bytes kept for one, at most", withThem.bytes, FEED_UNACKED_MAX_BYTES + 10_000, "B"),
      atLeast("bytes kept for one, at least", withThem.least, FEED_UNACKED_MAX_BYTES / 2),
      // Where the system does not tell the memory, nothing can be said of it.
      ...(Number.isNaN(perClientMb)
        ? []
        : [under("the engine's growth for one, against none", perClientMb, GROWTH_MAX_MB, "MB")]),
      balanced("another client's events", ["raised", withThem.made], ["received", withThem.received]),
      exactly("times that it was cut", withThem.readerCut, 0),
    ] satisfies Figure[];
  },
};

interface Outcome {
  readonly growthMb: number;
  readonly events: number;
  /** Of the laggard that got most. */
  readonly delivered: number;
  readonly cut: number;
  readonly cutMs: number;
  readonly bytes: number;
  readonly least: number;
  readonly made: number;
  readonly received: number;
  readonly readerCut: number;
}

async function run(laggards: number, { log }: FaultContext): Promise<Outcome> {
  const workshop = new Workshop();
  const server = await FaultServer.open({
    ...{ root: await workshop.bundle(), disk: workshop.folder(), shards: 1 },
    settings: { TICK: "1s" },
  });
  const sleepers: Laggard[] = [];
  try {
    const when = { signal: "reqs", window: "1h", op: ">", value: 0 };
    await withoutStorms(server.client, SITE);
    await putRule(server.client, SITE, rule("first", { when }));
    const reader = new AckingReader(await openFeed(server, SITE));
    let made = 0;
    const raise = async () => {
      await raiseBatch(server, made);
      made += BATCH;
      await until(
        `${made} events`,
        WAIT_MS,
        async () => (reader.arrivals.length >= made ? true : undefined),
        20,
      );
      await sleep(BATCH_EVERY_MS / 2);
    };
    for (let n = 0; n < WARM_UP; n++) await raise();
    for (let n = 0; n < laggards; n++) sleepers.push(await Laggard.open(server));
    const before = server.rssMb() ?? Number.NaN;
    const from = reader.bytes;
    while (reader.bytes - from <= BYTES_PAST) await raise();
    const growthMb = (server.rssMb() ?? Number.NaN) - before;
    log(`${made} events past ${laggards} that do not read: ${growthMb.toFixed(1)} MB`);

    const wokenMs = performance.now();
    const ends = await Promise.all(sleepers.map((one) => one.wake()));
    const firstMissed = ends.map(({ last }) => reader.arrivals[last] ?? wokenMs);
    return {
      growthMb,
      events: made,
      delivered: Math.max(0, ...ends.map(({ last }) => last)),
      cut: ends.filter(({ code }) => code === CLOSE_TRY_AGAIN).length,
      // They were closed with the first event that they did not get, and the close frame was there when they woke up.
      cutMs: Math.max(0, ...firstMissed.map((ms) => wokenMs - ms)),
      bytes: Math.max(0, ...ends.map(({ bytes }) => bytes)),
      least: Math.min(...ends.map(({ bytes }) => bytes)),
      made,
      received: new Set(stored(reader.feed).map(({ sequence }) => sequence)).size,
      readerCut: reader.isClosed ? 1 : 0,
    };
  } finally {
    for (const one of sleepers) one.end();
    await server.kill();
    workshop.close();
  }
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

/** A client that does as it should: acknowledges what it has read. */
class AckingReader {
  readonly feed: Feed;
  /** When each event came. */
  readonly arrivals: number[] = [];
  bytes = 0;
  isClosed = false;

  constructor(opened: Feed) {
    this.feed = opened;
    const note = (one: Feed): boolean => {
      const events = stored(one);
      for (let n = this.arrivals.length; n < events.length; n++) {
        this.arrivals.push(performance.now());
        this.bytes += JSON.stringify(events[n]).length;
        if (n % ACK_EVERY === 0) one.send(JSON.stringify({ type: "ack", cursor: events[n]?.sequence }));
      }
      return false;
    };
    // Looks at every message for as long as the socket is open; its end is what ends this.
    void opened.waitUntil("the end", note, 2 ** 31 - 1).catch(() => {
      this.isClosed = true;
    });
  }
}

interface LaggardEnd {
  /** Newest sequence received; counted from 1 like the reader's arrivals. */
  readonly last: number;
  readonly bytes: number;
  /** Of the close frame; `undefined` when none came. */
  readonly code: number | undefined;
}

/** A subscription whose socket is not read until `wake`. */
class Laggard {
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  static async open({ url, token }: { url: string; token: string }): Promise<Laggard> {
    const socket = connect({ host: "127.0.0.1", port: Number(new URL(url).port), noDelay: true });
    socket.on("error", () => socket.destroy());
    socket.write(
      `GET ${feedPath(SITE)} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${token}\r\nconnection: Upgrade\r\n` +
        "upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: ZmF1bHQtcnVucy0wMTIzNA==\r\n\r\n",
    );
    const head = await new Promise<Buffer>((resolve) => socket.once("data", resolve));
    socket.pause();
    if (!head.toString("latin1").startsWith("HTTP/1.1 101 ")) throw new Error(`no feed: ${head}`);
    // What came with the handshake's answer is read as well.
    socket.unshift(head.subarray(head.indexOf("\r\n\r\n") + 4));
    return new Laggard(socket);
  }

  /** Reads all there is, up to the close frame. */
  async wake(): Promise<LaggardEnd> {
    let received: Buffer = Buffer.alloc(0);
    return await new Promise((resolve) => {
      const timer = setTimeout(() => resolve(endOf(received)), WAIT_MS);
      const finish = () => {
        clearTimeout(timer);
        resolve(endOf(received));
      };
      this.#socket.on("data", (bytes: Buffer) => {
        received = Buffer.concat([received, bytes]);
        if (endOf(received).code !== undefined) finish();
      });
      this.#socket.once("close", finish);
      this.#socket.resume();
    });
  }

  end(): void {
    this.#socket.destroy();
  }
}

/** Walks over a server's frames (RFC 6455 §5.2: not masked). */
function endOf(received: Buffer): LaggardEnd {
  let last = 0;
  let bytes = 0;
  for (let at = 0; at + 2 <= received.length; ) {
    const opcode = received[at]! & 0x0f;
    let length = received[at + 1]! & 0x7f;
    let start = at + 2;
    if (length === 126 && received.length >= at + 4)
      [length, start] = [received.readUInt16BE(at + 2), at + 4];
    else if (length >= 126) break;
    if (start + length > received.length) break;
    const payload = received.subarray(start, start + length);
    if (opcode === 8) return { last, bytes, code: payload.readUInt16BE(0) };
    bytes += length;
    const sequence = /"sequence":"(\d+)"/.exec(payload.toString())?.[1];
    last = sequence === undefined ? last : Number(sequence);
    at = start + length;
  }
  return { last, bytes, code: undefined };
}
