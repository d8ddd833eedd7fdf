/** A server on which every new fingerprint makes one event, for the tests of other people's clients. */
import { type Client, createClient, ingestAll, ja4Of } from "../../support/client.ts";
import { startServer, type TestServer } from "../../support/server.ts";
import { openFeed, stored } from "../../support/stream.ts";

export const SITE = "shop";
const RAISED = "hellotide.threshold.raised";

export interface FeedWorld {
  readonly server: TestServer;
  readonly client: Client;
  /** Makes one event a fingerprint, from number `from` on. */
  cause(from: number, count: number): Promise<void>;
  /** What the feed keeps, as a client of our own reads it: `sequence type subject`. */
  kept(count: number): Promise<string[]>;
}

export async function startFeedWorld(env: Readonly<Record<string, string>> = {}): Promise<FeedWorld> {
  const server = await startServer({ sites: [SITE], shards: 2, env: { TICK: "1s", ...env } });
  const client = createClient(server);
  const settings = [
    // Every one of these raises is to be told by itself: no storm.
    await client.put(`/v1/sites/${SITE}/detection`, { json: { storm: { raises: 10_000, per: "1m" } } }),
    await client.put(`/v1/sites/${SITE}/thresholds/seen`, {
      json: {
        ...{ id: "seen", ja4: "*", severity: "warning", on_missing: "skip", cooldown: "0s" },
        // Nothing clears while a test runs: the hour's count only grows.
        when: { signal: "reqs", window: "1h", op: ">", value: 0 },
      },
    }),
  ];
  for (const { status, text } of settings) if (status >= 300) throw new Error(text);
  return {
    server,
    client,
    cause: async (from, count) => {
      const records = Array.from({ length: count }, (_, i) => ({
        timestamp: Date.now(),
        ja4: ja4Of(from + i),
      }));
      await ingestAll(client, SITE, records);
    },
    kept: async (count) => {
      const feed = await openFeed(server, SITE, { query: "since=0" });
      await feed.waitUntil(`${count} events`, (one) => stored(one).length >= count);
      feed.close();
      return stored(feed).map(({ sequence, type, subject }) => `${sequence} ${type} ${subject}`);
    },
  };
}

/** `sequence type subject` of a line that a client of docs/feed.md prints. */
export function headOf(line: string): string {
  return line.split(" ").slice(0, 3).join(" ");
}

/** The fingerprints that were raised, of lines as `headOf` gives them. */
export function raisedIn(heads: readonly string[]): string[] {
  return heads.filter((head) => head.includes(` ${RAISED} `)).map((head) => head.split(" ")[2] ?? "");
}

/** Fingerprints number `from` to `to`, the latter excluded. */
export function ja4Range(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => ja4Of(from + i));
}
