/** `/metrics` from a real server, held to the grammar of OpenMetrics 1.0.0. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { metricsText } from "../../src/reading/metrics.ts";
import { type Client, createClient, ingest, ja4Of, until } from "../support/client.ts";
import { startServer } from "../support/server.ts";
import { openFeed } from "../support/stream.ts";
import { answerFaults } from "./helpers/openapi.ts";
import { putRule, rule, visit } from "./helpers/rules.ts";
import { apiTokens, tokenOf } from "./helpers/tokens.ts";

const FAMILIES = {
  hellotide_observations: "counter",
  hellotide_fingerprints: "gauge",
  hellotide_without_ja4: "counter",
  hellotide_anomalies: "counter",
  hellotide_active_anomalies: "gauge",
  hellotide_lost_at_edge: "counter",
  hellotide_shard_age_seconds: "gauge",
  hellotide_feed_clients: "gauge",
  hellotide_webhook_failures: "counter",
};
const SAMPLE = /^([a-z0-9_]+)\{((?:[a-z0-9_]+="[^"\\\n]*"(?:,(?=[a-z]))?)*)\} (\d+(?:\.\d+)?)$/;

/** Samples by name and labels; throws where the text is no OpenMetrics. */
function parse(text: string): { types: Record<string, string>; samples: Map<string, number> } {
  const lines = text.split("\n");
  if (lines.pop() !== "" || lines.pop() !== "# EOF") throw new Error("no end");
  const types: Record<string, string> = {};
  const samples = new Map<string, number>();
  let family = "";
  for (const line of lines) {
    const [, word, name, rest] = /^# (TYPE|UNIT|HELP) (\w+) (.+)$/.exec(line) ?? [];
    if (word === "TYPE") {
      if (name! in types) throw new Error(`twice: ${name}`);
      family = name!;
      types[family] = rest!;
    } else if (word !== undefined) {
      if (name !== family || (word === "UNIT" && !family.endsWith(`_${rest}`))) throw new Error(line);
    } else {
      const [, sample, labels, value] = SAMPLE.exec(line) ?? [];
      if (sample !== `${family}${types[family] === "counter" ? "_total" : ""}`) throw new Error(line);
      if (samples.has(`${sample}{${labels}}`)) throw new Error(`twice: ${line}`);
      samples.set(`${sample}{${labels}}`, Number(value));
    }
  }
  return { types, samples };
}

const limited = tokenOf("limited", ["read"], ["shop"]);
const blind = tokenOf("blind", ["ingest"], ["*"]);
let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;

beforeAll(async () => {
  const env = { TICK: "1s", API_TOKENS: apiTokens([limited, blind]) };
  server = await startServer({ sites: ["shop", "api"], shards: 2, env });
  client = createClient(server);
}, 60_000);
afterAll(() => server?.stop());

const read = async (token?: string) => parse((await client.get("/metrics", token ? { token } : {})).text);

describe("/metrics", () => {
  it("MET-1: has the documented families, by site, source and result, and never a fingerprint", async () => {
    await putRule(
      client,
      "shop",
      rule("first", { when: { signal: "reqs", window: "1h", op: ">", value: 1 } }),
    );
    const feed = await openFeed(server, "shop");
    await visit(client, "shop", ja4Of(1), 2);
    const now = Date.now();
    await ingest(client, "shop", [{ timestamp: now }, { timestamp: now - 4_000_000 }, { timestamp: 1 }, {}]);
    const { types, samples } = await until("the threshold is raised", 20_000, async () => {
      const parsed = await read();
      const name = 'hellotide_anomalies_total{site="shop",kind="threshold",severity="warning"}';
      return parsed.samples.has(name) ? parsed : undefined;
    });
    expect(types).toEqual(FAMILIES);
    const at = (name: string) => samples.get(name);
    const observed = (result: string) =>
      at(`hellotide_observations_total{site="shop",source="observations",result="${result}"}`);
    expect([observed("accepted"), observed("rejected"), observed("expired")]).toEqual([3, 2, 1]);
    expect(at('hellotide_fingerprints{site="shop"}')).toBe(1);
    expect(at('hellotide_fingerprints{site="api"}')).toBe(0);
    expect(at('hellotide_without_ja4_total{site="shop"}')).toBe(1);
    expect(at('hellotide_active_anomalies{site="shop",kind="threshold"}')).toBe(1);
    expect(at('hellotide_lost_at_edge_total{site="shop"}')).toBe(0);
    expect(at('hellotide_shard_age_seconds{site="shop",shard="1"}')).toBeLessThan(60);
    expect(at('hellotide_feed_clients{site="shop"}')).toBe(1);
    expect(at('hellotide_webhook_failures_total{site="shop"}')).toBe(0);
    expect([...samples.keys()].filter((name) => name.includes(ja4Of(1)))).toEqual([]);
    feed.close();
  }, 30_000);

  it("MET-2: tells a token its own sites, in the format's media type; other tokens are refused", async () => {
    const answer = await client.get("/metrics", { token: limited.token });
    expect(answer.headers.get("content-type")).toBe(
      "application/openmetrics-text; version=1.0.0; charset=utf-8",
    );
    const names = [...parse(answer.text).samples.keys()];
    expect(names.filter((name) => !name.includes('site="shop"'))).toEqual([]);
    expect((await client.get("/metrics", { token: blind.token })).status).toBe(403);
    expect((await client.get("/metrics", { token: null })).status).toBe(401);
    expect(await answerFaults(client)).toEqual([]);
  });

  it("MET-3: leaves out the sums of a site of which a part is missing", () => {
    const partial = { site: "shop", shards: [], isWhole: false, feed: undefined };
    const { types, samples } = parse(metricsText([partial], 0));
    expect(types).toEqual(FAMILIES);
    expect([...samples]).toEqual([]);
  });
});
