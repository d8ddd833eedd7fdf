/**
 * The engine takes the feed's object out of memory while its clients are connected, by itself, when nothing comes for some
 * seconds; the next event makes a new one, which reaches the same connections. The control holds its sockets in memory.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FAULTY, startsOf } from "../../scripts/lib/faults/faulty.ts";
import { FaultServer } from "../../scripts/lib/faults/server.ts";
import { Workshop } from "../../scripts/lib/faults/workshop.ts";
import { putRule, rule, visit } from "../contract/helpers/rules.ts";
import { ja4Of, until } from "../support/client.ts";
import { EventStream } from "../support/event-stream.ts";
import { type FeedEvent, openFeed } from "../support/stream.ts";

/** The engine's own pause is 10 s. */
const QUIET_MS = 15_000;
const WAIT_MS = 20_000;
const SITES = ["sockets", "streams"] as const;

/** A connection, and what came by it so far. */
interface Connected {
  events(): readonly FeedEvent[];
  close(): void;
}

const ways: Readonly<Record<(typeof SITES)[number], (server: FaultServer) => Promise<Connected>>> = {
  sockets: async (server) => {
    const feed = await openFeed(server, "sockets");
    return { events: () => feed.events, close: () => feed.close() };
  },
  streams: async (server) => {
    const stream = await EventStream.open(server, "streams");
    return { events: () => stream.messages.map(({ event }) => event), close: () => stream.close() };
  },
};

/** Starts of a site's feed object before and after the pause, and the fingerprints told of by one connection. */
async function pause(server: FaultServer, site: (typeof SITES)[number]) {
  const starts = async () => (await startsOf(server.client)).get(`v1/${site}/feed`);
  const when = { signal: "reqs", window: "1h", op: ">", value: 0 };
  await putRule(server.client, site, rule("first", { when }));
  const connection = await ways[site](server);
  const told = () => connection.events().flatMap(({ subject }) => subject ?? []);
  const raise = async (n: number) => {
    await visit(server.client, site, ja4Of(n), 1);
    await until(`event ${n}`, WAIT_MS, async () => (told().includes(ja4Of(n)) ? true : undefined));
  };
  await raise(1);
  const before = await starts();
  await sleep(QUIET_MS);
  const quiet = await starts();
  await raise(2);
  const result = { before, quiet, after: await starts(), told: told() };
  connection.close();
  return result;
}

describe("connections of a feed that nothing comes to", () => {
  const workshop = new Workshop();
  let product: FaultServer;
  let control: FaultServer;
  const inMemory = {
    file: "durable-objects/feed-sockets.ts",
    from: "this.#host.acceptWebSocket(server);",
    to: "server.accept();",
  };
  beforeAll(async () => {
    const shared = { shards: 1, sites: SITES, settings: { TICK: "1s" } };
    const [root, other] = [
      await workshop.bundle({ entry: FAULTY }),
      await workshop.bundle({ entry: FAULTY, replacements: [inMemory] }),
    ];
    product = await FaultServer.open({ root, disk: workshop.folder(), ...shared });
    control = await FaultServer.open({ root: other, disk: workshop.folder(), ...shared });
  }, 60_000);
  afterAll(async () => {
    await product?.kill();
    await control?.kill();
    workshop.close();
  });

  it.concurrent.each(SITES)(
    "FR-9: %s live through the object's end, and get the event that makes a new one",
    async (site) => {
      const { before, quiet, after, told } = await pause(product, site);
      expect([before, quiet, after]).toEqual([1, 1, 2]);
      expect(told).toEqual([ja4Of(1), ja4Of(2)]);
    },
    90_000,
  );

  it.concurrent("FR-10: the control, whose sockets are not the engine's, stays in memory for them", async () => {
    const { before, quiet, after, told } = await pause(control, "sockets");
    expect([before, quiet, after]).toEqual([1, 1, 1]);
    expect(told).toEqual([ja4Of(1), ja4Of(2)]);
  }, 90_000);
});
