/**
 * Two sites get the same observations; the shard of one loses its memory after every batch, the other's lives on. Whatever is
 * asked of them, they must answer the same.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Draw } from "../../../src/simulate/random.ts";
import {
  type Answer,
  type Client,
  encodeBody,
  ja4Of,
  observationsPath,
} from "../../../test/support/client.ts";
import { OWN, OWN_AND_RANKS, without } from "./answers.ts";
import { atLeast, balanced, exactly, type Fault, type FaultContext, shown } from "./fault.ts";
import { FAULTY, order, shardName, startsOf } from "./faulty.ts";
import { FaultServer } from "./server.ts";
import { Workshop } from "./workshop.ts";

const EVICTED = "evicted";
const TWIN = "twin";
const FINGERPRINTS = 40;
const RECORDS = 12;
const SEED = 7;
/** Some expire during the run, some only come to count. */
const OLDEST_MS = 3_500_000;
const AHEAD_MS = 20_000;
/** Two ticks, so that both have told the Census of everything and were told the same. */
const RANKS_OLD_MS = 2_500;
/** A window's edge may pass between the two questions; it cannot do so this often in a row. */
const ASK_TRIES = 5;

export const evictions: Fault = {
  name: "eviction",
  about: "a shard that loses its memory after every batch answers as one that never did",
  run: async (context) => {
    const { evicted, twinStarts, different, firstDifference, compared, sent, counts } = await run(
      context.quick ? 40 : 1_000,
      context,
    );
    return [
      atLeast("evictions", evicted, context.quick ? 40 : 1_000),
      exactly("starts of the twin", twinStarts, 1),
      shown("answers compared", compared),
      exactly(`answers that differ${firstDifference}`, different, 0),
      balanced("observations", ["sent", sent], ["evicted site", counts[0] ?? 0]),
      balanced("observations", ["sent", sent], ["twin", counts[1] ?? 0]),
    ];
  },
};

interface Outcome {
  evicted: number;
  twinStarts: number;
  different: number;
  firstDifference: string;
  compared: number;
  sent: number;
  counts: number[];
}

async function run(rounds: number, { log }: FaultContext): Promise<Outcome> {
  const workshop = new Workshop();
  const root = await workshop.bundle({ entry: FAULTY });
  const server = await FaultServer.open({
    ...{ root, disk: workshop.folder(), shards: 1, sites: [EVICTED, TWIN] },
    settings: { TICK: "1s", HASH_KEY: "the same for both sites, 0123456789" },
  });
  const { client } = server;
  const outcome = { ...{ different: 0, firstDifference: "", compared: 0, sent: 0 } };
  try {
    for (let round = 0; round < rounds; round++) {
      const body = encodeBody(recordsOf(round, OLDEST_MS, AHEAD_MS), "msgpack");
      for (const site of [EVICTED, TWIN]) await upload(client, site, body);
      outcome.sent += RECORDS;
      await order(client, shardName(EVICTED, 0), "evict");
      for (const ask of questions(round)) {
        const [one, other] = await both(client, ask, OWN_AND_RANKS);
        outcome.compared++;
        if (one === other) continue;
        if (outcome.different++ === 0) outcome.firstDifference = ` (${ask(EVICTED)}: ${around(one, other)})`;
      }
      client.answers.length = 0;
      if ((round + 1) % 100 === 0) log(`${round + 1} evictions, ${outcome.compared} answers compared`);
    }
    // An evicted shard asks the Census anew, the twin's ranks may be a second old. At rest the ranks of both are the same, too.
    await sleep(RANKS_OLD_MS);
    for (let n = 0; n < FINGERPRINTS; n++) {
      const [one, other] = await both(client, (site) => `/v1/sites/${site}/fingerprints/${ja4Of(n)}`, OWN);
      outcome.compared++;
      if (one !== other && outcome.different++ === 0) outcome.firstDifference = ` (${around(one, other)})`;
    }
    const starts = await startsOf(client);
    const counts = await Promise.all([EVICTED, TWIN].map((site) => totalOf(client, site)));
    return {
      ...outcome,
      evicted: (starts.get(shardName(EVICTED, 0)) ?? 0) - 1,
      twinStarts: starts.get(shardName(TWIN, 0)) ?? 0,
      counts,
    };
  } finally {
    await server.kill();
    workshop.close();
  }
}

/** All kinds of facts on few fingerprints, so that each has many; a third of them up to `oldestMs` old, some `aheadMs` ahead. */
export function recordsOf(round: number, oldestMs: number, aheadMs: number): Record<string, unknown>[] {
  const draw = new Draw("eviction", SEED, round);
  const nowMs = Date.now();
  return Array.from({ length: RECORDS }, () => ({
    timestamp: nowMs - draw.int(draw.chance(0.3) ? oldestMs : 5_000) + (draw.chance(0.05) ? aheadMs : 0),
    ...(draw.chance(0.1) ? {} : { ja4: ja4Of(Math.floor(FINGERPRINTS * draw.uniform() ** 2)) }),
    client_ip: `10.${draw.int(4)}.${draw.int(256)}.${draw.int(256)}`,
    path: `/p/${draw.int(500)}`,
    user_agent: `Mozilla/5.0 (X11; Linux x86_64; rv:${draw.int(90)}.0) Gecko/20100101 Firefox/${draw.int(90)}.0`,
    host: `www${draw.int(3)}.example`,
    method: draw.pick(["GET", "POST"]),
    status: draw.pick([200, 200, 304, 404, 500]),
    asn: 64_500 + draw.int(20),
    cache_status: draw.pick(["hit", "miss", "dynamic"]),
    http_protocol: draw.pick(["HTTP/1.1", "HTTP/2", "HTTP/3"]),
    bot_score: draw.int(100),
  }));
}

async function upload(client: Client, site: string, body: Uint8Array<ArrayBuffer>): Promise<void> {
  const answer = await client.post(observationsPath(site), {
    headers: { "content-type": "application/msgpack" },
    body,
  });
  if (answer.status !== 202) throw new Error(`${site}: ${answer.status} ${answer.text}`);
}

/** Paths below the site; one fingerprint in turn, the whole list, the totals. */
function questions(round: number): ((site: string) => string)[] {
  const ja4 = ja4Of(round % FINGERPRINTS);
  const sort = ["reqs", "ips", "uas", "paths", "last_seen"][round % 5];
  return [
    (site) => `/v1/sites/${site}/fingerprints/${ja4}`,
    (site) => `/v1/sites/${site}/fingerprints?sort=${sort}&limit=100&window=${["1m", "5m", "1h"][round % 3]}`,
    (site) => `/v1/sites/${site}/summary`,
  ];
}

/** Both sites' answers without what is a site's own; asked again while they differ, since time goes on between them. */
async function both(
  client: Client,
  ask: (site: string) => string,
  leaveOut: RegExp,
): Promise<[string, string]> {
  let answers: [string, string] = ["", ""];
  for (let tried = 0; tried < ASK_TRIES; tried++) {
    const [one, other] = await Promise.all([client.get(ask(EVICTED)), client.get(ask(TWIN))]);
    answers = [comparable(one, leaveOut), comparable(other, leaveOut)];
    if (answers[0] === answers[1]) break;
  }
  return answers;
}

function comparable({ status, text }: Answer, leaveOut: RegExp): string {
  return `${status} ${JSON.stringify(without(text, leaveOut))}`;
}

/** The place where two texts part. */
function around(one: string, other: string): string {
  const at = [...one].findIndex((letter, i) => letter !== other[i]);
  return `${one.slice(Math.max(0, at - 60), at + 40)} | ${other.slice(Math.max(0, at - 10), at + 40)}`;
}

async function totalOf(client: Client, site: string): Promise<number> {
  const answer = await client.get(`/v1/sites/${site}/summary`);
  return answer.json<{ since_start: { accepted: number } }>().since_start.accepted;
}
