/** Deliveries in simulated time: an outbox on a real SQLite, receivers that fail as told. */
import { Webhook } from "standardwebhooks";
import { describe, expect, it } from "vitest";
import { WebhookStore } from "../../durable-objects/sql/webhook-store.ts";
import { WebhookOutbox } from "../../durable-objects/webhook-outbox.ts";
import { HOUR_MS, MINUTE_MS, SECOND_MS } from "../../src/config.ts";
import { type FeedWebhook, isFor } from "../../src/webhooks/route.ts";
import { type Sent, send } from "../../src/webhooks/send.ts";
import { makeSecret } from "../../src/webhooks/signature.ts";
import { type FeedEvent, feedEvent } from "../../src/wire/event.ts";
import { MemorySql } from "../support/sqlite.ts";

/** The standard's package compares with the real clock, so simulated time begins there. */
const START_MS = Date.now();
const SECRET = makeSecret((bytes) => bytes.fill(7));
const hook = (id: string, over: Partial<FeedWebhook> = {}): FeedWebhook => ({
  ...{ id, url: `https://${id}.example.com/`, format: "cloudevents", enabled: true, minSeverity: "info" },
  ...{ secrets: [{ secret: SECRET }], thresholds: [], writtenAt: "2026-11-23T12:00:00.000Z" },
  ...over,
});
const event = (n: number, data: Partial<FeedEvent["data"]> = {}) =>
  feedEvent("shop", "hellotide.anomaly.raised", "t13d", `E${n}`, "2026-11-23T12:00:00.000Z", {
    ...{ kind: "surge", severity: "warning" as const, anomaly_id: `a${n}` },
    ...data,
  });

/** What a receiver does with a message: a status, or `undefined` = it cannot be reached. */
type Behaviour = (atMs: number) => { status: number; headers?: Record<string, string> } | "hangs" | undefined;

class World {
  nowMs = START_MS;
  readonly sql = new MemorySql();
  readonly events: string[] = [];
  readonly taken: { hook: string; id: string; atMs: number }[] = [];
  readonly tries: { hook: string; atMs: number }[] = [];
  outbox: WebhookOutbox;
  readonly #hooks: FeedWebhook[];
  readonly #behaviours: Record<string, Behaviour>;
  readonly #underWay = new Set<Promise<Sent>>();
  #seed = 1;

  constructor(hooks: FeedWebhook[], behaviours: Record<string, Behaviour>) {
    this.#hooks = hooks;
    this.#behaviours = behaviours;
    this.outbox = this.restart();
  }

  restart(): WebhookOutbox {
    this.outbox = new WebhookOutbox({
      store: new WebhookStore(this.sql),
      eventOf: (sequence) => this.events[sequence - 1],
      send: (webhook, told) => this.#send(webhook, told),
      now: () => this.nowMs,
      random: () => {
        this.#seed = (this.#seed * 16_807) % 2_147_483_647;
        return this.#seed / 2_147_483_647;
      },
      arm: () => {},
    });
    this.outbox.use(this.#hooks);
    return this.outbox;
  }

  append(n: number, data: Partial<FeedEvent["data"]> = {}): void {
    const told = event(n, data);
    this.events.push(JSON.stringify(told));
    this.outbox.note(this.events.length, told, this.nowMs);
    this.outbox.run(this.nowMs);
  }

  /** Lets time go on to `untilMs`, from one due time to the next. */
  async play(untilMs: number): Promise<void> {
    for (;;) {
      await this.settle();
      const dueMs = this.outbox.dueMs(this.nowMs);
      if (dueMs === undefined || dueMs > untilMs) break;
      this.nowMs = Math.max(this.nowMs + 1, dueMs);
      this.outbox.run(this.nowMs);
    }
    this.nowMs = Math.max(this.nowMs, untilMs);
  }

  /** Everything that can go on without the clock: signatures are made off the thread. */
  async settle(): Promise<void> {
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    do {
      await Promise.all(this.#underWay);
      await turn();
    } while (this.#underWay.size > 0);
  }

  #send(webhook: FeedWebhook, told: FeedEvent): Promise<Sent> {
    const atMs = this.nowMs;
    this.tries.push({ hook: webhook.id, atMs });
    const behaviour = this.#behaviours[webhook.id]!(atMs);
    if (behaviour === "hangs") return new Promise(() => {});
    // Signed for the real clock, which is what the oracle reads.
    const sent = send(webhook, told, Date.now(), async (_, init) => {
      if (behaviour === undefined) throw new TypeError("refused");
      const headers = init.headers as Record<string, string>;
      if (behaviour.status < 300) {
        new Webhook(SECRET).verify(init.body as string, headers);
        this.taken.push({ hook: webhook.id, id: headers["webhook-id"]!, atMs });
      }
      return new Response(null, behaviour);
    });
    this.#underWay.add(sent);
    void sent.then(() => this.#underWay.delete(sent));
    return sent;
  }
}

const ids = (world: World, name: string) =>
  world.taken.flatMap(({ hook: of, id }) => (of === name ? [id] : []));
const OK: Behaviour = () => ({ status: 200 });
const downFor =
  (ms: number, status: number | undefined): Behaviour =>
  (atMs) =>
    atMs < START_MS + ms ? (status === undefined ? undefined : { status }) : { status: 204 };

describe("deliveries", () => {
  it.each([undefined, 500, 503, 404, 302])(
    "HOOK-12: down for an hour (%s): every message afterwards, once per id, verified, over restarts",
    async (status) => {
      const world = new World([hook("a")], { a: downFor(HOUR_MS, status) });
      for (let n = 1; n <= 60; n++) {
        world.append(n);
        if (n % 20 === 0) world.restart();
        await world.play(START_MS + n * MINUTE_MS);
      }
      await world.play(START_MS + 2 * HOUR_MS);
      const wanted = Array.from({ length: 60 }, (_, i) => `msg_E${i + 1}_a`);
      expect(ids(world, "a").sort()).toEqual([...wanted].sort());
      // One receiver that is down is asked now and then, not once for every message.
      if (status !== 404 && status !== 302) {
        expect(ids(world, "a").length).toBe(60);
        expect(world.tries.length - 60).toBeLessThan(30);
      }
      expect(world.outbox.status("a")).toMatchObject({ pending: 0, failures: 0 });
    },
  );

  it("HOOK-12: after an outage messages come in order", async () => {
    const world = new World([hook("a")], { a: downFor(HOUR_MS, 503) });
    for (let n = 1; n <= 30; n++) world.append(n);
    await world.play(START_MS + 2 * HOUR_MS);
    expect(ids(world, "a")).toEqual(Array.from({ length: 30 }, (_, i) => `msg_E${i + 1}_a`));
  });

  it("HOOK-13: receivers that hang or fail delay no other", async () => {
    const bad = ["b1", "b2", "b3", "b4", "b5", "b6", "b7"];
    const behaviours = Object.fromEntries(
      bad.map((id, i): [string, Behaviour] => [
        id,
        (atMs) => (i % 2 === 0 && atMs > START_MS ? "hangs" : { status: 500 }),
      ]),
    );
    const world = new World(
      [...bad, "good"].map((id) => hook(id)),
      { ...behaviours, good: OK },
    );
    for (let n = 1; n <= 20; n++) {
      world.append(n);
      await world.settle();
      expect(ids(world, "good").length).toBe(n);
      await world.play(START_MS + n * 10 * SECOND_MS);
    }
  });

  it("HOOK-14: 410 switches it off, counted; a later write switches it on; Retry-After is waited for", async () => {
    let status = 410;
    const world = new World([hook("a")], { a: () => ({ status, headers: { "retry-after": "1800" } }) });
    world.append(1);
    world.append(2);
    await world.settle();
    world.append(3);
    await world.play(START_MS + HOUR_MS);
    expect(world.tries.length).toBe(1);
    expect(world.outbox.status("a")).toMatchObject({ pending: 0, failures: 2, last_status: 410 });
    expect(world.outbox.status("a").disabled_reason).toContain("410");
    world.outbox.use([hook("a", { writtenAt: "2026-11-23T13:00:00.000Z" })]);
    expect("disabled_reason" in world.outbox.status("a")).toBe(false);
    status = 503;
    const fromMs = world.nowMs;
    world.append(4);
    await world.settle();
    status = 200;
    await world.play(fromMs + HOUR_MS);
    expect(world.tries.slice(1).map(({ atMs }) => atMs - fromMs)).toEqual([0, 30 * MINUTE_MS]);
    expect(ids(world, "a")).toEqual(["msg_E4_a"]);
  });

  it("HOOK-14: after 24 h a message is given up and counted, and the total outlives the webhook", async () => {
    const world = new World([hook("a")], { a: () => undefined });
    world.append(1);
    await world.play(START_MS + 25 * HOUR_MS);
    expect(world.outbox.status("a")).toMatchObject({ pending: 0, failures: 1 });
    world.outbox.use([]);
    expect([world.outbox.lost, world.outbox.status("a").failures]).toEqual([1, 0]);
  });
});

describe("who is told", () => {
  const cases: [string, Partial<FeedWebhook>, Partial<FeedEvent["data"]>, boolean][] = [
    ["everything built in by default", {}, {}, true],
    ["a kind that is asked for", { kinds: ["surge"] }, {}, true],
    ["another kind", { kinds: ["outage"] }, {}, false],
    ["enough severity", { minSeverity: "warning" }, {}, true],
    ["too little severity", { minSeverity: "critical" }, {}, false],
    ["what is silenced", {}, { silenced: true }, false],
    ["what is grouped", {}, { grouped: true }, false],
    ["a threshold that does not name it", {}, { kind: "threshold", threshold: "t" }, false],
    [
      "a threshold that names it",
      { thresholds: ["t"], kinds: ["outage"] },
      { kind: "threshold", threshold: "t" },
      true,
    ],
    ["anything while it is off", { enabled: false }, {}, false],
  ];
  it.each(cases)("HOOK-15: %s", (_, over, data, wanted) => {
    expect(isFor(hook("a", over), event(1, data))).toBe(wanted);
  });
});
