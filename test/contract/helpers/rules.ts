/** Threshold rules and the traffic that makes them fire, for the tests of thresholds and of the feed. */
import { type Client, ingestAll, ja4Of } from "../../support/client.ts";
import type { Feed, FeedEvent } from "../../support/stream.ts";

export type Rule = Readonly<Record<string, unknown>>;

/** A complete rule: more than `value` requests in the last minute. */
export function rule(id: string, over: Rule = {}): Rule {
  return {
    id,
    enabled: true,
    severity: "warning",
    when: { signal: "reqs", window: "1m", op: ">", value: 5 },
    on_missing: "skip",
    ...over,
  };
}

export function thresholdsPath(site: string, id?: string): string {
  return `/v1/sites/${site}/thresholds${id === undefined ? "" : `/${id}`}`;
}

/** Every raise on the site is to be told by itself, however many there are. */
export async function withoutStorms(client: Client, site: string): Promise<void> {
  const answer = await client.put(`/v1/sites/${site}/detection`, {
    json: { storm: { raises: 10_000, per: "1m" } },
  });
  if (answer.status !== 201) throw new Error(`${answer.status} ${answer.text}`);
}

export async function putRule(client: Client, site: string, body: Rule): Promise<void> {
  const answer = await client.put(thresholdsPath(site, String(body.id)), { json: body });
  if (answer.status !== 200 && answer.status !== 201)
    throw new Error(`PUT rule: ${answer.status} ${answer.text}`);
}

/** `count` requests of one fingerprint in the last second. */
export async function visit(
  client: Client,
  site: string,
  ja4: string,
  count: number,
  over: Rule = {},
): Promise<void> {
  const timestamp = Date.now() - 50;
  const records = Array.from({ length: count }, (_, i) => ({
    timestamp: timestamp - (i % 900),
    ja4,
    ...over,
  }));
  await ingestAll(client, site, records);
}

export function isThreshold(
  change: "raised" | "cleared",
  id: string,
  ja4?: string,
): (event: FeedEvent) => boolean {
  return (event) =>
    event.type === `hellotide.threshold.${change}` &&
    event.data.threshold === id &&
    (ja4 === undefined || event.subject === ja4);
}

export function countOf(feed: Feed, wanted: (event: FeedEvent) => boolean): number {
  return feed.events.filter(wanted).length;
}

/** A rule that every fingerprint breaks with its first request, and `count` fingerprints that do so, one after another. */
export async function raiseEach(
  client: Client,
  site: string,
  feed: Feed,
  first: number,
  count: number,
): Promise<string[]> {
  const ja4s = Array.from({ length: count }, (_, i) => ja4Of(first + i));
  for (const ja4 of ja4s) {
    await visit(client, site, ja4, 1);
    await feed.waitFor(`the event of ${ja4}`, (event) => event.subject === ja4);
  }
  return ja4s;
}

/** After this, what the server had to say to this socket has been said: two round trips and a moment more. */
export async function settle(feed: Feed): Promise<void> {
  for (let i = 0; i < 2; i += 1) {
    const pongs = feed.texts.length;
    feed.send("ping");
    await feed.waitUntil("pong", (one) => one.texts.length > pongs);
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
}
