/**
 * Old code, new code, old code, new code on one disk, and then a disk of code that is newer than any. Each must read what
 * the one before it wrote, and nobody may write over what it does not know.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { putRule, rule } from "../../../test/contract/helpers/rules.ts";
import { type Client, encodeBody, observationsPath, summaryOf, until } from "../../../test/support/client.ts";
import { type FeedEvent, openFeed, stored } from "../../../test/support/stream.ts";
import { ROOT } from "../paths.ts";
import { differences, LASTING, without } from "./answers.ts";
import { recordsOf } from "./evictions.ts";
import {
  atLeast,
  balanced,
  exactly,
  type Fault,
  type FaultContext,
  type Figure,
  Skipped,
  shown,
} from "./fault.ts";
import { type Batch, compare, completed, counted, globOf, makeBatch, rowsOf, send } from "./ledger.ts";
import { FaultServer } from "./server.ts";
import { Workshop } from "./workshop.ts";

/** The last commit whose disk has no checkpoints and whose log rows do not tell their time. */
const OLD_COMMIT = "2268c658f9479f57924779a1a7cd770637d85620";
const SITE = "shop";
const FINGERPRINTS = 5;
const MIXED_ROUNDS = 20;
/** Nothing may come into the hour or leave it by itself, since answers are compared over minutes. */
const OLDEST_MS = 40 * 60_000;
const FUTURE = "of the future";
const WAIT_MS = 20_000;
/** Time for what is kept to arrive; asked again when it was too short. */
const REPLAY_MS = 100;

export const versions: Fault = {
  name: "versions",
  about: "old code, new code, old code on one disk; a newer disk than the code is not opened",
  run: async (context) => {
    const workshop = new Workshop();
    try {
      const old = await workshop.bundle({ sources: oldSources(workshop) });
      return await run(workshop, old, await workshop.bundle(), context);
    } finally {
      workshop.close();
    }
  },
};

/** The old sources in a folder of their own, with this project's packages. */
function oldSources(workshop: Workshop): string {
  const dir = workshop.folder("old");
  const archive = spawnSync("git", ["archive", "--format=tar", OLD_COMMIT], {
    cwd: ROOT,
    maxBuffer: 256 * 1024 * 1024,
  });
  if (archive.status !== 0) throw new Skipped(`the history does not hold ${OLD_COMMIT.slice(0, 7)}`);
  const unpacked = spawnSync("tar", ["-x", "-C", dir], { input: archive.stdout });
  if (unpacked.status !== 0) throw new Skipped(`no tar: ${unpacked.stderr}`);
  symlinkSync(join(ROOT, "node_modules"), join(dir, "node_modules"));
  return dir;
}

const QUIET_STORM = {
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ storm: { raises: 1_000 } }),
};

/** What one life of a server left for the next one. */
interface Left {
  /** Batches that each life sends. */
  readonly perLife: number;
  readonly batches: Batch[];
  readonly answers: Map<string, unknown>;
  events: FeedEvent[];
}

async function run(
  workshop: Workshop,
  old: string,
  fresh: string,
  { quick, log }: FaultContext,
): Promise<Figure[]> {
  const disk = workshop.folder();
  const server = await FaultServer.open({
    ...{ root: old, disk, shards: 4 },
    settings: { TICK: "1s", HASH_KEY: "the same for all versions, 0123456789" },
  });
  const { client } = server;
  const left: Left = { perLife: quick ? 6 : 40, batches: [], answers: new Map(), events: [] };
  const faults: string[] = [];
  const steps = ["old", "new", "old", "new"];
  let logged = 0;
  try {
    await putRule(
      client,
      SITE,
      rule("first", { ja4: "t13d9*", when: { signal: "reqs", window: "1h", op: ">", value: 0 } }),
    );
    for (const [step, version] of steps.entries()) {
      if (step > 0) {
        // In turn in order and the hard way: a disk must not need a goodbye.
        await (step % 2 === 0 ? server.kill() : server.stop());
        logged = server.log.length;
        await server.start(version === "old" ? old : fresh);
        // This traffic is a storm of anomalies to detectors that know more kinds: its thresholds must not be grouped with them.
        if (version === "new") await client.put(`/v1/sites/${SITE}/detection`, QUIET_STORM);
      }
      const found = [...(await check(server, left)), ...(await live(server, step, left))];
      const lines = server.log.slice(logged).trim();
      if (lines !== "") found.push(`the log: ${lines.split("\n")[0]}`);
      for (const fault of found) faults.push(`${version} (${step + 1}): ${fault}`);
      log(`${version}: ${left.answers.size} answers, ${left.events.length} events, ${found.length} faults`);
    }
    for (const fault of faults.slice(0, 10)) log(fault);
    const sent = left.batches.reduce((sum, one) => sum + rowsOf(one), 0) + steps.length * mixedRows();
    const summary = await summaryOf(client, SITE);
    const refused = await newerDisk(server, disk, left);
    return [
      shown("versions on one disk", steps.join(", ")),
      shown("answers compared at each change", left.answers.size),
      exactly("faults", faults.length, 0),
      balanced("observations", ["sent", sent], ["in the 1h windows", summary.windows["1h"].reqs]),
      balanced(
        "observations",
        ["sent", sent],
        ["accepted since the start", summary.since_start.accepted ?? 0],
      ),
      ...refused,
    ];
  } finally {
    await server.kill();
  }
}

function mixedRows(): number {
  return MIXED_ROUNDS * recordsOf(0, OLDEST_MS, 0).length;
}

/** Everything that earlier lives left: batches, answers, events, rules. */
async function check({ client, url, token }: FaultServer, left: Left): Promise<string[]> {
  const wrong = { lost: new Set<string>(), doubled: new Set<string>() };
  for (const life of new Set(left.batches.map(({ key }) => Number(key.split("-")[0])))) {
    const own = left.batches.filter(({ key }) => key.startsWith(`${life}-`));
    compare(own, await counted(client, SITE, globOf(life)), wrong);
  }
  const faults = [...wrong.lost].map((key) => `batch ${key} is not whole`);
  faults.push(...[...wrong.doubled].map((key) => `batch ${key} is there twice`));
  for (const [path, before] of left.answers) {
    const answer = await client.get(path);
    if (answer.status !== 200) faults.push(`${path}: ${answer.status}`);
    else faults.push(...differences(before, without(answer.text, LASTING), path));
  }
  if (left.events.length > 0) {
    const events = await eventsOf({ url, token }, (found) => found.length >= left.events.length);
    faults.push(...differences(left.events, events.slice(0, left.events.length), "feed"));
  }
  return faults;
}

/** One life: new batches, an old one again, mixed facts, a threshold that is raised; notes what it leaves. */
async function live(server: FaultServer, step: number, left: Left): Promise<string[]> {
  const { client } = server;
  const faults: string[] = [];
  const [again] = left.batches;
  if (again !== undefined) {
    const status = (await send(client, SITE, again))?.status;
    if (status !== 202) faults.push(`a repeat of batch ${again.key}: ${status}`);
  }
  // Above 9000 the rule applies, so that each life raises one more.
  const raised = makeBatch(9_000 + step, 0, 1, Date.now());
  for (const batch of [
    ...Array.from({ length: left.perLife }, (_, n) => makeBatch(step, n, FINGERPRINTS, Date.now())),
    raised,
  ]) {
    await completed(client, SITE, batch);
    left.batches.push(batch);
  }
  for (let round = 0; round < MIXED_ROUNDS; round++) {
    const body = encodeBody(recordsOf(step * MIXED_ROUNDS + round, OLDEST_MS, 0), "msgpack");
    const answer = await client.post(observationsPath(SITE), {
      headers: { "content-type": "application/msgpack", "idempotency-key": `mixed-${step}-${round}` },
      body,
    });
    if (answer.status !== 202) faults.push(`mixed upload: ${answer.status} ${answer.text}`);
  }
  const isRaised = ({ type }: FeedEvent) => type === "hellotide.threshold.raised";
  left.events = await eventsOf(server, (found) => found.filter(isRaised).length > step);
  if (new Set(left.events.map(({ sequence }) => sequence)).size !== left.events.length) {
    faults.push("the feed has a sequence twice");
  }
  for (const path of await paths(client)) {
    const answer = await client.get(path);
    if (answer.status !== 200) faults.push(`${path}: ${answer.status}`);
    else left.answers.set(path, without(answer.text, LASTING));
  }
  return faults;
}

/** All events that the feed keeps, once there are `enough`. */
async function eventsOf(
  target: { url: string; token: string },
  enough: (found: readonly FeedEvent[]) => boolean,
): Promise<FeedEvent[]> {
  return await until("the feed's events", WAIT_MS, async () => {
    const feed = await openFeed(target, SITE, { query: "since=0" });
    await sleep(REPLAY_MS);
    feed.close();
    const events = stored(feed);
    return enough(events) ? events : undefined;
  });
}

/** Every fingerprint's full form, the totals, the rules. */
async function paths(client: Client): Promise<string[]> {
  const all = await counted(client, SITE, "*");
  return [
    ...[...all.keys()].map((ja4) => `/v1/sites/${SITE}/fingerprints/${ja4}`),
    `/v1/sites/${SITE}/summary`,
    `/v1/sites/${SITE}/thresholds`,
    `/v1/sites/${SITE}/thresholds/first`,
  ];
}

/** A migration that this code does not know on every shard's disk: refused and named, and whole without it. */
async function newerDisk(server: FaultServer, disk: string, left: Left): Promise<Figure[]> {
  const { client } = server;
  await server.stop();
  onEveryShard(disk, (database) => {
    database.exec(`INSERT INTO migrations (id, name) SELECT MAX(id) + 1, '${FUTURE}' FROM migrations`);
  });
  const logged = server.log.length;
  await server.start();
  const batch = makeBatch(8_000, 0, FINGERPRINTS, Date.now());
  const answers = [
    await client.post(observationsPath(SITE), {
      headers: { "content-type": "application/x-ndjson" },
      body: batch.body,
    }),
    await client.get(`/v1/sites/${SITE}/fingerprints`),
    await client.get(`/v1/sites/${SITE}/fingerprints/${batch.ja4s[0]}`),
    await client.get(`/v1/sites/${SITE}/summary`),
  ];
  const refused = answers.filter(
    ({ status, headers }) => status === 503 && headers.has("retry-after"),
  ).length;
  // The engine's words come through a pipe, which may be behind its answers.
  const names = async () => /newer version/.test(server.log.slice(logged)) || undefined;
  const named = await until("the log names it", WAIT_MS, names).catch(() => false);
  await server.stop();
  const shards = onEveryShard(disk, (database) => {
    database.exec(`DELETE FROM migrations WHERE name = '${FUTURE}'`);
  });
  await server.start();
  const after = await check(server, left);
  return [
    atLeast("shards with a newer disk than the code", shards, 4),
    exactly(`of ${answers.length} requests answered 503 with Retry-After`, refused, answers.length),
    atLeast("the log names it", Number(named), 1),
    exactly("faults after it was taken back", after.length, 0),
  ];
}

/** Runs `change` on the database of every shard; answers how many there are. */
function onEveryShard(disk: string, change: (database: DatabaseSync) => void): number {
  const dir = join(disk, "hellotide-FingerprintShard");
  // Beside the objects' files lies one of the platform's own, with their alarms.
  const files = readdirSync(dir).filter((name) => /^[0-9a-f]{64}\.sqlite$/.test(name));
  for (const file of files) {
    const database = new DatabaseSync(join(dir, file));
    change(database);
    database.close();
  }
  return files.length;
}
