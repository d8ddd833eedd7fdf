/** What must hold of a world that has come to rest. Everything is compared with what went over the network, recounted plainly. */
import { MINUTE_MS, type WindowName } from "../../src/config.ts";
import { Draw } from "../../src/simulate/random.ts";
import { windowFrom } from "../../src/window/time.ts";
import type { Subscriber } from "./clients.ts";
import type { SentFrame } from "./ledger.ts";
import type { FingerprintForm, ShardCalls } from "./product.ts";
import { SITE, type World } from "./world.ts";

const LIST_ALL = {
  sort: "reqs",
  order: "desc",
  window: "1h",
  ja4: undefined,
  limit: 1_000,
  after: undefined,
};
/** Distinct counts are exact up to so many in the hour. */
const EXACT_DISTINCTS = 256;
/** Share of the worlds that go on for most of an hour. */
const LONG_SHARE = 0.1;

/** Collects what is broken. */
class Verdict {
  readonly faults: string[] = [];

  is(holds: boolean, invariant: string, text: () => string): void {
    if (!holds) this.faults.push(`${invariant}: ${text()}`);
  }

  same(got: unknown, wanted: unknown, invariant: string, what: string): void {
    const [a, b] = [JSON.stringify(got), JSON.stringify(wanted)];
    this.is(a === b, invariant, () => `${what} is ${a}, not ${b}`);
  }
}

/** Broken invariants of a world whose `run` is over, `name: what`. */
export async function faultsOf(world: World): Promise<string[]> {
  const verdict = new Verdict();
  await world.settle();
  verdict.is(world.isDrained, "drained", () => "something is still on its way");
  for (const actor of world.network.actors) {
    const calls = actor.incarnation?.unanswered ?? [];
    verdict.is(calls.length === 0, "hangs", () => `${actor.name} never answered ${calls.join(", ")}`);
  }
  world.faults.isInstant = true;
  if (await probe(world, verdict)) {
    world.faults.isInstant = false;
    await world.rest();
    world.faults.isInstant = true;
  }
  await counts(world, verdict);
  await totals(world, verdict);
  conservation(world, verdict);
  await settings(world, verdict);
  await ranks(world, verdict);
  feed(world, verdict);
  await twin(world, verdict);
  alarms(world, verdict);
  const draw = new Draw("end", world.seed);
  if (draw.chance(LONG_SHARE)) {
    world.faults.isInstant = false;
    await world.quiet(draw.between(5, 55) * MINUTE_MS);
    world.faults.isInstant = true;
    await counts(world, verdict);
    await repeats(world, verdict);
    await counts(world, verdict);
  }
  for (const name of ["log_unreadable", "samples_unreadable", "frame_refused", "encode_failed"])
    verdict.is(!world.logged.has(name), "logs", () => `${name} was logged`);
  return [...world.ledger.faults, ...world.api.faults, ...verdict.faults];
}

function shard(world: World, index: number): ShardCalls {
  return world.objects.shard({ epoch: 1, shards: world.shards }, index);
}

async function asked<T>(
  world: World,
  verdict: Verdict,
  what: string,
  question: () => Promise<T>,
): Promise<T | undefined> {
  try {
    const answer = await world.ask(question);
    verdict.is(answer !== undefined, "hangs", () => `${what} has no answer`);
    return answer;
  } catch (error) {
    verdict.is(false, "fails", () => `${what}: ${String(error)}`);
    return undefined;
  }
}

/**
 * Finds out of every frame without an answer whether it was counted, by sending it once more: now it is. Answers whether any
 * was not.
 */
async function probe(world: World, verdict: Verdict): Promise<boolean> {
  let isNews = false;
  for (const frame of world.ledger.frames.values()) {
    if (frame.isCounted) continue;
    const answer = await send(world, verdict, frame);
    isNews ||= (answer?.accepted ?? 0) > 0;
  }
  return isNews;
}

/** Every frame once more: each is known. */
async function repeats(world: World, verdict: Verdict): Promise<void> {
  for (const frame of world.ledger.frames.values()) {
    const answer = await send(world, verdict, frame);
    verdict.is(
      answer?.accepted === 0,
      "once",
      () => `a repeat of frame ${frame.id} is new to ${frame.shard}`,
    );
  }
}

async function send(world: World, verdict: Verdict, { bytes, shard: name, id }: SentFrame) {
  const index = Array.from({ length: world.shards }, (_, i) => world.shardName(i)).indexOf(name);
  const answer = await asked(world, verdict, `frame ${id}`, () =>
    shard(world, index).ingest([bytes], world.shards),
  );
  verdict.is(answer?.ok !== false, "answers", () => `frame ${id} is refused: ${answer?.fault}`);
  return answer;
}

/** Requests of each fingerprint in a window, by recount; "" = those without one. */
function recount(world: World, index: number, window: WindowName, asOfMs: number): Map<string, number> {
  const fromMs = windowFrom(window, asOfMs);
  const counted = new Map<string, number>();
  for (const frame of world.ledger.frames.values()) {
    if (!frame.isCounted || frame.shard !== world.shardName(index)) continue;
    for (const [ja4, times] of frame.times) {
      const inside = times.filter((ms) => ms > fromMs && ms <= asOfMs).length;
      if (inside > 0) counted.set(ja4, (counted.get(ja4) ?? 0) + inside);
    }
  }
  return counted;
}

/** Every observation of a counted frame is in the windows once. */
async function counts(world: World, verdict: Verdict): Promise<void> {
  for (let i = 0; i < world.shards; i++) {
    const listed = await asked(world, verdict, "list", () => shard(world, i).list(LIST_ALL));
    if (listed === undefined) continue;
    const hour = recount(world, i, "1h", listed.asOfMs);
    const all = [...hour.values()].reduce((sum, count) => sum + count, 0);
    hour.delete("");
    const got = listed.rows.map(({ row }) => [row.ja4, row.reqs] as const).sort(byText);
    verdict.same(got, [...hour].sort(byText), "counted once", `1h of shard ${i}`);
    const summary = await asked(world, verdict, "summary", () => shard(world, i).summary());
    verdict.same(summary?.windows["1h"].reqs, all, "counted once", `all requests of shard ${i}`);
    const read = await asked(world, verdict, "read", () => shard(world, i).read([...hour.keys()]));
    for (const form of read?.found ?? []) windowsOf(world, verdict, i, form);
  }
}

function windowsOf(
  world: World,
  verdict: Verdict,
  index: number,
  { ja4, as_of, windows }: FingerprintForm,
): void {
  for (const window of ["1m", "5m", "1h"] as const) {
    const wanted = recount(world, index, window, Date.parse(as_of)).get(ja4) ?? 0;
    verdict.same(windows[window].reqs, wanted, "counted once", `${window} of ${ja4}`);
    // Each observation came from a network of its own; distinct counts may reach a stamp further back than the window.
    const { asns = 0 } = windows[window];
    if (windows["1h"].reqs <= EXACT_DISTINCTS)
      verdict.is(
        asns >= wanted,
        "counted once",
        () => `${ja4} has ${asns} networks of ${wanted} in ${window}`,
      );
  }
}

function byText(a: readonly [string, number], b: readonly [string, number]): number {
  return a[0] < b[0] ? -1 : 1;
}

/** What the shards say of all that ever came. */
async function totals(world: World, verdict: Verdict): Promise<void> {
  for (let i = 0; i < world.shards; i++) {
    const summary = await asked(world, verdict, "summary", () => shard(world, i).summary());
    const frames = [...world.ledger.frames.values()].filter(
      (frame) => frame.isCounted && frame.shard === world.shardName(i),
    );
    const { accepted = 0, late = 0, lost_at_edge = 0, rejected = 0 } = summary?.sinceStart ?? {};
    const sum = (of: (frame: SentFrame) => number) => frames.reduce((total, frame) => total + of(frame), 0);
    verdict.same(
      accepted + late,
      sum(({ rows }) => rows),
      "totals",
      `accepted of shard ${i}`,
    );
    verdict.same(
      lost_at_edge,
      sum(({ counters }) => counters.lost_at_edge),
      "totals",
      `lost of shard ${i}`,
    );
    verdict.same(
      rejected,
      sum(({ counters }) => counters.rejected),
      "totals",
      `rejected of shard ${i}`,
    );
  }
}

/** Every observation made is counted, or was told as lost, or died with its isolate. */
function conservation(world: World, verdict: Verdict): void {
  const frames = [...world.ledger.frames.values()];
  for (const { name, made, isAlive } of world.isolates) {
    const own = frames.filter(({ sender }) => sender === name);
    // What was never acknowledged to its isolate was sent again or given up, and then told with another frame.
    const told = own.filter((frame) => (isAlive ? frame.isAcknowledged : frame.isCounted));
    const sum = told.reduce((total, { rows, counters }) => total + rows + counters.lost_at_edge, 0);
    if (isAlive) verdict.same(sum, made, "conservation", `what ${name} made`);
    else verdict.is(sum <= made, "conservation", () => `${name} made ${made} and told of ${sum}`);
  }
  const uploaded = frames.filter(({ sender, isCounted }) => sender === "api" && isCounted);
  const rows = uploaded.reduce((total, frame) => total + frame.rows, 0);
  verdict.same(rows, world.uploader.accepted, "conservation", "what was uploaded");
}

interface StoredThreshold {
  body: { id: string; enabled: boolean; when: { value: number } };
}

/** The newest settings are in force on every shard, and raised is what they say. */
async function settings(world: World, verdict: Verdict): Promise<void> {
  const actor = world.network.known(`v1/${SITE}/settings`);
  if (actor === undefined) return;
  const stored = await asked(
    world,
    verdict,
    "items",
    () => world.network.call(actor, "items", ["thresholds", "", 1_000]) as Promise<StoredThreshold[]>,
  );
  const newest = Math.max(0, ...world.writer.written.keys());
  const revisions: (number | undefined)[] = [];
  for (let i = 0; i < world.shards; i++) {
    // An older push is refused with the revision in force.
    revisions.push(
      await asked(world, verdict, "revision", () => shard(world, i).applySettings({ revision: -1 })),
    );
    const active = await asked(world, verdict, "active", () => shard(world, i).activeThresholds());
    const listed = await asked(world, verdict, "list", () => shard(world, i).list(LIST_ALL));
    const hour = [...recount(world, i, "1h", listed?.asOfMs ?? 0)].filter(([ja4]) => ja4 !== "");
    for (const { body } of stored ?? []) {
      const wanted = hour.flatMap(([ja4, reqs]) => (body.enabled && reqs >= body.when.value ? ja4 : []));
      verdict.same((active?.[body.id] ?? []).sort(), wanted.sort(), "settings", `${body.id} on shard ${i}`);
    }
    const unknown = Object.keys(active ?? {}).filter((id) => !stored?.some(({ body }) => body.id === id));
    verdict.same(unknown, [], "settings", `raised without a threshold on shard ${i}`);
  }
  verdict.is(
    new Set(revisions).size === 1,
    "settings",
    () => `the shards have revisions ${revisions.join(", ")}`,
  );
  verdict.is(
    (revisions[0] ?? 0) >= newest,
    "settings",
    () => `revision ${newest} was told, ${revisions[0]} is in force`,
  );
}

/** Ranks over all shards are those of a sorted list. */
async function ranks(world: World, verdict: Verdict): Promise<void> {
  const forms: FingerprintForm[] = [];
  for (let i = 0; i < world.shards; i++) {
    const mine = world.ja4s;
    const read = await asked(world, verdict, "read", () => shard(world, i).read(mine));
    verdict.same(read?.missing, [], "ranks", `missing shards of shard ${i}`);
    forms.push(...(read?.found ?? []));
  }
  const reqs = forms.map((form) => form.windows["1h"].reqs).filter((count) => count > 0);
  for (const { ja4, local, windows } of forms) {
    const own = windows["1h"].reqs;
    if (own === 0) continue;
    const rank = 1 + reqs.filter((other) => other > own).length;
    verdict.same(local.reqs_rank_1h, rank, "ranks", `rank of ${ja4}`);
    verdict.same(local.population, reqs.length, "ranks", `population beside ${ja4}`);
  }
}

/** Every event that a shard handed over is in the feed once, in the shard's order, without a hole in the numbers. */
function feed(world: World, verdict: Verdict): void {
  const place = new Map<string, { source: string; n: number }>();
  for (const [source, events] of world.ledger.events) {
    for (let n = 1; n <= events.size; n++)
      verdict.is(events.has(n), "feed", () => `number ${n} of source ${source} is missing`);
    for (const [n, id] of events) place.set(id, { source, n });
  }
  for (const subscriber of world.subscribers) subscription(subscriber, place, verdict);
}

function subscription(
  { name, seen, cursor, connects }: Subscriber,
  place: ReadonlyMap<string, { source: string; n: number }>,
  verdict: Verdict,
): void {
  verdict.is(connects > 0, "feed", () => `${name} never got a connection`);
  verdict.same(cursor, place.size, "feed", `last number that ${name} saw`);
  const last = new Map<string, number>();
  const open = new Set<string>();
  for (const [sequence, { id, type, data }] of seen) {
    const { source, n } = place.get(id) ?? { source: "nowhere", n: 0 };
    const before = last.get(source);
    if (before !== undefined) verdict.same(n, before + 1, "feed", `number of event ${sequence} for ${name}`);
    last.set(source, n);
    if (data.threshold === undefined || name === "restless") continue;
    const key = `${data.threshold} ${data.ja4}`;
    const raised = type === "hellotide.threshold.raised";
    verdict.is(open.has(key) !== raised, "feed", () => `${key}: ${type} follows itself at ${sequence}`);
    if (raised) open.add(key);
    else open.delete(key);
  }
}

/** A restart changes no answer. */
async function twin(world: World, verdict: Verdict): Promise<void> {
  const answers = async (index: number) => {
    const listed = await asked(world, verdict, "list", () => shard(world, index).list(LIST_ALL));
    const read = await asked(world, verdict, "read", () => shard(world, index).read(world.ja4s));
    const summary = await asked(world, verdict, "summary", () => shard(world, index).summary());
    const active = await asked(world, verdict, "active", () => shard(world, index).activeThresholds());
    // Memory follows from a shard's past, and how fresh its ranks are from who asked last.
    const forms = read?.found.map((form) => ({ ...form, ranks_as_of: "" }));
    return { listed, forms, summary: { ...summary, memory: 0, pressure: 0, ranksAsOfMs: 0 }, active };
  };
  for (let i = 0; i < world.shards; i++) {
    const actor = world.network.known(world.shardName(i));
    if (actor === undefined) continue;
    await world.settle();
    const before = await answers(i);
    verdict.is(actor.isIdle, "hangs", () => `${actor.name} does not come to rest`);
    actor.evict();
    const after = await answers(i);
    for (const name of ["listed", "forms", "summary", "active"] as const)
      verdict.same(after[name], before[name], "twin", `${name} of shard ${i} after a restart`);
    world.kernel.note(JSON.stringify(after));
  }
}

/** Whoever holds something that time will change has an alarm. */
function alarms(world: World, verdict: Verdict): void {
  for (const actor of world.network.actors) {
    const isShard = actor.name.includes("/shard/");
    const holds = [...world.ledger.frames.values()].some(
      (frame) => frame.shard === actor.name && frame.isCounted && frame.rows > 0,
    );
    if (!isShard || !holds) continue;
    verdict.is(
      actor.disk.durableAlarmMs !== undefined,
      "alarms",
      () => `${actor.name} has data and no alarm`,
    );
  }
}
