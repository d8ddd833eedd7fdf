/** Anomalies by HTTP: the list, one of them, feedback. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Client,
  createClient,
  ja4Of,
  nullsIn,
  pointersOf,
  problemFaults,
  until,
} from "../support/client.ts";
import { startServer } from "../support/server.ts";
import { answerFaults } from "./helpers/openapi.ts";
import { putRule, rule, visit } from "./helpers/rules.ts";
import { apiTokens, tokenOf } from "./helpers/tokens.ts";

interface Listed {
  anomalies: { sequence: string; type: string; data: { anomaly_id: string; ja4: string; kind: string } }[];
  next_cursor?: string;
}

const SITE = "shop";
const PATH = `/v1/sites/${SITE}/anomalies`;
const reader = tokenOf("reader", ["read"], [SITE]);
const COUNT = 3;
let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;
let whole: Listed;

beforeAll(async () => {
  server = await startServer({ sites: [SITE], env: { TICK: "1s", API_TOKENS: apiTokens([reader]) } });
  client = createClient(server);
  await putRule(client, SITE, rule("first", { when: { signal: "reqs", window: "1h", op: ">", value: 0 } }));
  for (let i = 0; i < COUNT; i++) await visit(client, SITE, ja4Of(i), 1);
  whole = await until("every threshold is raised", 20_000, async () => {
    const listed = (await client.get(PATH)).json<Listed>();
    return listed.anomalies.length === COUNT ? listed : undefined;
  });
}, 60_000);
afterAll(() => server?.stop());

const list = async (query: string): Promise<Listed> => (await client.get(`${PATH}?${query}`)).json<Listed>();
const sequences = ({ anomalies }: Listed) => anomalies.map(({ sequence }) => sequence);

describe("…/anomalies", () => {
  it("ANO-7: newest first in pages that follow each other, with since oldest first", async () => {
    expect(sequences(whole)).toEqual([...sequences(whole)].sort().reverse());
    const first = await client.get(`${PATH}?limit=2&active=true`);
    const page = first.json<Listed>();
    expect(first.headers.get("link")).toContain(`cursor=${page.next_cursor}`);
    const rest = await list(`limit=2&active=true&cursor=${page.next_cursor}`);
    expect([...sequences(page), ...sequences(rest)]).toEqual(sequences(whole));
    expect("next_cursor" in rest).toBe(false);
    expect(sequences(await list("since=0"))).toEqual(sequences(whole).reverse());
    expect(sequences(await list(`since=${sequences(whole)[1]}`))).toEqual(sequences(whole).slice(0, 1));
    expect(sequences(await list("kind=surge"))).toEqual([]);
    expect((await list(`ja4=${ja4Of(1)}`)).anomalies.map(({ data }) => data.ja4)).toEqual([ja4Of(1)]);
    expect(nullsIn(whole)).toEqual([]);
  });

  it("ANO-8: a wrong query value is 400 and names its parameter", async () => {
    for (const query of [
      "active=1",
      "kind=nope",
      "ja4=%3F",
      "since=x",
      "since=999999",
      "limit=0",
      "cursor=-",
    ]) {
      const answer = await client.get(`${PATH}?${query}`);
      expect(problemFaults(answer, 400), query).toEqual([]);
      expect(answer.text).toContain(`parameter ${query.split("=")[0]}`);
    }
  });

  it("ANO-9: one by its id, with the feedback once there is one; the last word counts", async () => {
    const event = whole.anomalies[0]!;
    const path = `${PATH}/${event.data.anomaly_id}`;
    expect((await client.get(path)).json()).toEqual(event);
    const said = await client.post(`${path}/feedback`, { json: { verdict: "true", note: "ours" } });
    expect(said.status).toBe(201);
    expect(said.headers.get("location")).toBe(path);
    expect(said.json()).toMatchObject({ anomaly_id: event.data.anomaly_id, verdict: "true", note: "ours" });
    const again = await client.post(`${path}/feedback`, { json: { verdict: "false", note: null } });
    expect((await client.get(path)).json()).toEqual({ ...event, feedback: again.json() });
    expect("note" in again.json<object>()).toBe(false);
  });

  it("ANO-10: unknown ids are 404, other verdicts, keys and long notes 422, and writing needs its scope", async () => {
    const path = `${PATH}/${whole.anomalies[0]!.data.anomaly_id}`;
    expect(problemFaults(await client.get(`${PATH}/nope`), 404)).toEqual([]);
    const json = { verdict: "true" };
    expect(problemFaults(await client.post(`${PATH}/nope/feedback`, { json }), 404)).toEqual([]);
    for (const [body, pointer] of [
      [{ verdict: true }, "/verdict"],
      [{ verdict: "maybe" }, "/verdict"],
      [{}, "/verdict"],
      [{ ...json, note: "x".repeat(1_001) }, "/note"],
      [{ ...json, more: 1 }, "/more"],
    ] as const) {
      const answer = await client.post(`${path}/feedback`, { json: body });
      expect(problemFaults(answer, 422)).toEqual([]);
      expect(pointersOf(answer)).toEqual([pointer]);
    }
    expect((await client.get(path, { token: reader.token })).status).toBe(200);
    expect((await client.post(`${path}/feedback`, { json, token: reader.token })).status).toBe(403);
    expect(await answerFaults(client)).toEqual([]);
  });
});
