/** Secrets that must never come out again: tokens, tickets and visitors' addresses. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Client,
  createClient,
  fullForm,
  ingest,
  ingestAll,
  ja4Of,
  observationsPath,
} from "../support/client.ts";
import { startServer } from "../support/server.ts";
import { type Feed, feedPath, handshake, openFeed } from "../support/stream.ts";
import { isThreshold, putRule, rule, thresholdsPath, visit } from "./helpers/rules.ts";
import { apiTokens, tokenOf } from "./helpers/tokens.ts";

const SITE = "shop";
const JA4 = ja4Of(1);
/** Documentation addresses that occur nowhere else; the IPv6 one also in its full spelling. */
const ADDRESSES = ["198.51.100.213", "2001:db8:cafe:f00d::beef"];
const ADDRESS_SPELLINGS = [...ADDRESSES, "2001:0db8:cafe:f00d:0000:0000:0000:beef", "2001:db8:cafe:f00d"];
const canary = tokenOf("canary", ["ingest", "read", "feed", "write"], ["*"]);

let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;
let feed: Feed;
const tickets: string[] = [];

beforeAll(async () => {
  server = await startServer({ sites: [SITE], env: { TICK: "1s", API_TOKENS: apiTokens([canary]) } });
  client = createClient({ url: server.url, token: canary.token });
  feed = await openFeed(server, SITE, { token: canary.token, query: "since=0" });
  await useEverything();
}, 60_000);
afterAll(() => server?.stop());

/** Sends the secrets where they belong and where they do not, good requests and bad. */
async function useEverything(): Promise<void> {
  const records = Array.from({ length: 20 }, (_, i) => ({
    timestamp: Date.now() - 1_001,
    ja4: JA4,
    client_ip: ADDRESSES[i % 2],
    path: "/",
  }));
  await ingestAll(client, SITE, records, { key: "canary-key" });
  await putRule(client, SITE, rule("first"));
  await visit(client, SITE, JA4, 1, { client_ip: ADDRESSES[0] });
  await feed.waitFor("raised", isThreshold("raised", "first", JA4));
  for (const bad of ADDRESSES) {
    await ingest(client, SITE, [{ timestamp: Date.now(), ja4: JA4, client_ip: `${bad}:x` }]);
    await ingest(client, SITE, [{ timestamp: "x", client_ip: bad }]);
    const body = `[{"client_ip":"${bad}"`;
    await client.post(observationsPath(SITE), { headers: { "content-type": "application/json" }, body });
  }
  for (const token of [server.token, canary.token]) {
    await client.get(`/v1/sites/${SITE}/summary?token=${token}`, { token: null });
    await client.get("/v1/sites", { token: `${token}x` });
    await client.get(`/v1/sites/${SITE}/fingerprints/${token}`);
    await client.put(thresholdsPath(SITE, "bad"), { headers: { "content-type": "text/plain" }, body: token });
  }
  const answer = await client.post(`/v1/sites/${SITE}/feed-tickets`);
  const { ticket } = answer.json<{ ticket: string }>();
  tickets.push(ticket);
  for (let i = 0; i < 2; i += 1) await handshake(server, feedPath(SITE, `ticket=${ticket}`), {}, null);
}

/** Where in `text` any of the secrets stands. */
function found(text: string, secrets: readonly string[]): string[] {
  return secrets.filter((secret) => text.includes(secret));
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

const tokens = (): string[] => [server.token, canary.token];

describe("secrets", () => {
  it("SEC-1: no token, ticket or address is in the server's own output", () => {
    expect(found(server.stderr(), [...tokens(), ...tickets, ...ADDRESS_SPELLINGS])).toEqual([]);
  });

  it("SEC-2: no answer carries a token or an address; the ticket is in its own answer only", () => {
    expect(client.answers.length).toBeGreaterThan(15);
    for (const answer of client.answers) {
      const text = `${answer.text}\n${JSON.stringify([...answer.headers])}`;
      const secrets = [...ADDRESS_SPELLINGS, ...tokens()];
      if (!answer.path.endsWith("/feed-tickets")) secrets.push(...tickets);
      expect({ path: answer.path, found: found(text, secrets) }).toEqual({ path: answer.path, found: [] });
    }
  });

  it("SEC-3: nor does the feed", () => {
    expect(feed.events.length).toBeGreaterThan(1);
    expect(found(JSON.stringify(feed.events), [...tokens(), ...tickets, ...ADDRESS_SPELLINGS])).toEqual([]);
  });

  it("SEC-4: no file of the folder has a token or an address, as text or as bytes", async () => {
    expect((await fullForm(client, SITE, JA4)).windows["1h"].ips).toBe(2);
    const raw = [Buffer.from([198, 51, 100, 213]), Buffer.from("20010db8cafef00d", "hex")];
    const texts = [...tokens(), ...ADDRESS_SPELLINGS].map((text) => Buffer.from(text));
    const files = filesUnder(server.dir);
    expect(files.some((file) => readFileSync(file).includes(Buffer.from(JA4)))).toBe(true);
    for (const file of files) {
      const content = readFileSync(file);
      expect({ file, found: [...texts, ...raw].filter((one) => content.includes(one)).map(String) }).toEqual({
        file,
        found: [],
      });
    }
  });

  it("SEC-5: answers are not for caches and types are not for guessing", async () => {
    const answer = await client.get(`/v1/sites/${SITE}/summary`);
    expect(answer.headers.get("cache-control")).toMatch(/no-store|no-cache|private/);
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
  });
});
