/**
 * One world: a site with its objects, isolates, clients and everything that goes wrong, all drawn from a seed.
 *
 *   traffic, with faults → calm: nothing fails any more, a visitor now and then, until nothing is on its way → quiet: only alarms
 */
import { createHash } from "node:crypto";
import { FLUSH_MAX_MS, HOUR_MS, MINUTE_MS, SECOND_MS, TICK_IDLE_MS } from "../../src/config.ts";
import { Draw } from "../../src/simulate/random.ts";
import type { Actor } from "./actor.ts";
import { Api, Subscriber, TOKEN, Uploader, Writer } from "./clients.ts";
import { Faults } from "./faults.ts";
import { Isolate } from "./isolate.ts";
import { Context, Kernel } from "./kernel.ts";
import { Ledger } from "./ledger.ts";
import { Network } from "./network.ts";
import type { Observed, Product, SiteObjects } from "./product.ts";
import { install } from "./shims.ts";

export const SITE = "shop";
const THRESHOLDS = ["a", "b", "c"];
const CLOCK_JUMP_MAX_MS = 15_000;
const ISOLATE_SKEW_MAX_MS = 3_000;
/** Nothing may still be on its way after so long without faults. */
const CALM_MAX_MS = 10 * MINUTE_MS;

export interface Loaded {
  readonly product: Product;
  readonly edge: () => Observed;
}

export class World {
  readonly seed: number;
  readonly kernel: Kernel;
  readonly faults: Faults;
  readonly ledger = new Ledger();
  readonly network: Network;
  readonly api: Api;
  readonly objects: SiteObjects;
  readonly shards: number;
  /** Living and dead. */
  readonly isolates: Isolate[] = [];
  readonly uploader: Uploader;
  readonly writer: Writer;
  readonly subscribers: Subscriber[];
  readonly ja4s: string[];
  /** Whoever looks into the world when it is over. */
  readonly inspector = new Context("inspector");
  /** What the product logged, by name of the event. */
  readonly logged = new Map<string, number>();
  readonly #draw: Draw;
  readonly #edge: () => Observed;
  readonly #visitsMs: number;
  readonly #tickMs: number;
  #observations = 0;

  constructor(seed: number, { product, edge }: Loaded, trace?: (line: string) => void) {
    this.seed = seed;
    const draw = new Draw("world", seed);
    this.#draw = draw;
    this.#edge = edge;
    const startMs = Date.UTC(2026, 10, 23, 12) + draw.int(HOUR_MS);
    this.kernel = new Kernel(seed, startMs);
    this.kernel.trace = trace;
    this.kernel.afterTurn = (context) => this.#afterTurn(context);
    install(this.kernel, (line) => this.#log(line));
    this.faults = new Faults(seed);
    this.shards = 2 + draw.int(2);
    this.#tickMs = draw.pick([5, 10, 20, 30]) * SECOND_MS;
    const bindings = {
      SHARDS_NS: product.FingerprintShard,
      CENSUS_NS: product.Census,
      FEED_NS: product.AnomalyFeed,
      SETTINGS_NS: product.Settings,
    };
    this.network = new Network(this.kernel, this.faults, bindings, this.#settings(), this.ledger);
    this.api = new Api(this.kernel, this.faults, product, this.network.env);
    const options = product.parseOptions(this.network.env);
    const memory = { maps: new Map(), hash: undefined };
    this.objects = product.objectsOf(this.network.env, options, memory).site(SITE);
    this.ja4s = Array.from({ length: 5 + draw.int(25) }, () => `t13d1516h2_${draw.hex(12)}_${draw.hex(12)}`);
    this.#visitsMs = draw.between(250, 2_000);
    for (let i = 0; i < 1 + draw.int(3); i++) this.#newIsolate();
    this.uploader = new Uploader("uploader", this.api, new Draw("uploader", seed), SITE);
    this.writer = new Writer("writer", this.api, new Draw("writer", seed), SITE);
    this.subscribers = ["steady", "restless", "silent"].map(
      (name) => new Subscriber(name, this.api, new Draw(name, seed), SITE),
    );
  }

  /** Made so far, at the edge and by the uploader. */
  get observations(): number {
    return this.#observations;
  }

  /** Lets the world run to its end. */
  async run(): Promise<void> {
    const { kernel } = this;
    const calmAtMs = kernel.nowMs + this.#draw.between(3, 8) ** 2 * SECOND_MS;
    this.#schedule(calmAtMs);
    await kernel.run(calmAtMs);
    this.#calm();
    const untilMs = kernel.nowMs + CALM_MAX_MS;
    // Those who were refused or slowed down come again by themselves; what an isolate has to send needs a visitor, and what
    // was lost meanwhile is told with the next one's.
    for (let round = 0; round < 2 || (!this.isDrained && kernel.nowMs < untilMs); round++) {
      for (const isolate of this.isolates) if (isolate.isAlive) isolate.visit(this.#draw);
      await kernel.run(kernel.nowMs + FLUSH_MAX_MS);
    }
    await this.rest();
  }

  /** Long enough for every shard to tick; evicted first, they tick as if idle. */
  async rest(): Promise<void> {
    for (const actor of this.network.actors) actor.evict();
    await this.quiet(TICK_IDLE_MS + 1.5 * this.#tickMs);
  }

  /** Nobody comes by any more; objects are evicted all the time, so that only alarms go on. */
  async quiet(ms: number): Promise<void> {
    const untilMs = this.kernel.nowMs + ms;
    while (this.kernel.nowMs < untilMs) {
      await this.kernel.run(Math.min(untilMs, this.kernel.nowMs + 30 * SECOND_MS));
      for (const actor of this.network.actors) actor.evict();
    }
  }

  /** Lets what is under way at this moment, a tick say, come to its end. */
  async settle(): Promise<void> {
    // A call that nobody answers keeps its object awake for a minute.
    for (let s = 0; s < 120 && this.network.actors.some((actor) => !actor.isIdle); s++)
      await this.kernel.run(this.kernel.nowMs + SECOND_MS);
  }

  /** Whether everything made is acknowledged or given up. */
  get isDrained(): boolean {
    return (
      this.uploader.isIdle &&
      this.writer.isIdle &&
      this.isolates.every((isolate) => !isolate.isAlive || isolate.isDrained)
    );
  }

  /** Asks something as the inspector; `undefined` = there is no answer within a minute. */
  async ask<T>(question: () => Promise<T>): Promise<T | undefined> {
    let answer: { value: T } | undefined;
    let failure: unknown;
    this.kernel.after(0, this.inspector, "asks", () => {
      void question().then(
        (value) => {
          answer = { value };
        },
        (error: unknown) => {
          failure = error;
        },
      );
    });
    await this.kernel.run(this.kernel.nowMs);
    for (let i = 0; i < 600 && answer === undefined && failure === undefined; i++)
      await this.kernel.run(this.kernel.nowMs + 100);
    if (failure !== undefined) throw failure;
    return answer?.value;
  }

  shardName(shard: number): string {
    return `v1/${SITE}/shard/1-${shard}`;
  }

  close(): void {
    for (const actor of this.network.actors) actor.disk.close();
  }

  #settings(): Record<string, unknown> {
    const sha256 = createHash("sha256").update(TOKEN).digest("hex");
    const scopes = ["ingest", "read", "feed", "write"];
    return {
      SITES: { [SITE]: ["www.shop.example"] },
      SHARDS: String(this.shards),
      TICK: `${this.#tickMs / SECOND_MS}s`,
      FLUSH: `${this.#draw.pick([2, 5, 10])}s`,
      API_TOKENS: [{ name: "simulator", sha256, scopes, sites: ["*"] }],
      // Of some worlds: of the others the account's own, which an object makes.
      ...(this.#draw.chance(0.5) ? { HASH_KEY: "simulator-0123456789" } : {}),
    };
  }

  #newIsolate(): void {
    const visitors = { site: SITE, ja4s: this.ja4s, nextAsn: () => ++this.#observations };
    const skewMs = Math.round(this.#draw.between(-ISOLATE_SKEW_MAX_MS, ISOLATE_SKEW_MAX_MS));
    const name = `isolate ${this.isolates.length}`;
    const observed = this.#edge();
    const isolate = new Isolate(name, this.kernel, this.network.env, observed, visitors, skewMs);
    this.isolates.push(isolate);
    this.#comeAndGo(isolate);
  }

  /** Visitors of an isolate, one after the other, until it dies or the traffic ends. */
  #comeAndGo(isolate: Isolate): void {
    this.kernel.later(-Math.log(1 - this.#draw.uniform()) * this.#visitsMs, "visitor", () => {
      if (!isolate.isAlive || !this.faults.isOn) return;
      isolate.visit(this.#draw);
      this.#comeAndGo(isolate);
    });
  }

  #schedule(calmAtMs: number): void {
    this.#act(this.uploader, calmAtMs, 12_000, () => this.#upload());
    this.#act(this.writer, calmAtMs, 12_000, () => this.#write());
    const [steady, restless, silent] = this.subscribers as [Subscriber, Subscriber, Subscriber];
    silent.acks = false;
    for (const [who, since] of [
      [steady, 0],
      [restless, undefined],
      [silent, 0],
    ] as const)
      this.kernel.after(this.#draw.int(8_000), who, "listens", () => void who.listen(since));
    this.#every(5_000, calmAtMs, () => restless.hangUp());
    this.#every(MINUTE_MS / 12, calmAtMs, () => this.#timedFaults());
  }

  /** Lets a client do something now and then, never two things at once. */
  #act(client: Uploader | Writer, untilMs: number, pauseMs: number, what: () => Promise<void>): void {
    this.#every(pauseMs, untilMs, () => {
      if (client.isIdle) this.kernel.after(0, client, "acts", () => void what());
    });
  }

  #every(meanMs: number, untilMs: number, action: () => void): void {
    const atMs = this.kernel.nowMs + meanMs * this.#draw.between(0.3, 1.7);
    if (atMs >= untilMs) return;
    this.kernel.later(atMs - this.kernel.nowMs, "fate", () => {
      action();
      this.#every(meanMs, untilMs, action);
    });
  }

  #upload(): Promise<void> {
    const draw = this.#draw;
    const records = Array.from({ length: 1 + draw.int(40) }, () => ({
      timestamp: this.kernel.nowMs - draw.int(draw.chance(0.2) ? 40 * MINUTE_MS : 20_000),
      ja4: draw.pick(this.ja4s),
      asn: ++this.#observations,
      client_ip: `198.51.100.${draw.int(250)}`,
      path: `/page/${draw.int(20)}`,
    }));
    return this.uploader.upload(records);
  }

  #write(): Promise<void> {
    const draw = this.#draw;
    const id = draw.pick(THRESHOLDS);
    if (draw.chance(0.15)) return this.writer.remove(id);
    const when = { signal: "reqs", window: "1h", op: ">=", value: 1 + draw.int(40) };
    const times = { for: "0s", clear: { for: "0s" }, cooldown: "0s" };
    return this.writer.put(id, { when, ...times, on_missing: "skip", enabled: draw.chance(0.9) });
  }

  /** What happens by the clock and not by the call; called twelve times a minute. */
  #timedFaults(): void {
    const { draw, rates } = this.faults;
    const strikes = (aMinute: number) => aMinute > 0 && draw.chance(aMinute / 12);
    for (const actor of this.network.actors) {
      if (strikes(rates.diskFull)) this.#fill(actor);
      if (strikes(rates.down)) {
        actor.downUntilMs = this.kernel.nowMs + draw.int(draw.chance(0.2) ? 150_000 : 20_000);
        this.kernel.note(`${actor.name} is down`);
        if (actor.incarnation !== undefined) actor.crash("its machine is gone");
      }
      if (strikes(rates.clockJump)) {
        actor.setClock(Math.round(draw.between(-CLOCK_JUMP_MAX_MS, CLOCK_JUMP_MAX_MS)));
        this.kernel.note(`${actor.name}: clock off by ${actor.skewMs} ms`);
      }
    }
    for (const isolate of this.isolates) {
      if (!isolate.isAlive) continue;
      if (strikes(rates.clockJump))
        isolate.skewMs = Math.round(draw.between(-ISOLATE_SKEW_MAX_MS, ISOLATE_SKEW_MAX_MS));
      if (!strikes(rates.isolateDeath)) continue;
      isolate.isAlive = false;
      this.kernel.note(`${isolate.name} dies`);
      this.#newIsolate();
    }
  }

  #fill(actor: Actor): void {
    this.kernel.note(`${actor.name}: disk full`);
    actor.disk.fill();
    this.kernel.later(this.faults.draw.int(40_000), "disk free", () => actor.disk.free());
  }

  #calm(): void {
    this.faults.isOn = false;
    for (const actor of this.network.actors) {
      actor.downUntilMs = 0;
      actor.setClock(0);
      actor.disk.free();
    }
  }

  #afterTurn(context: Context): void {
    const actor = this.network.known(context.name);
    if (actor === undefined || actor.incarnation !== context) return;
    if (this.faults.strikes("crash")) actor.crash("after a turn");
    else if (this.faults.evicts()) actor.evict();
  }

  #log(line: string): void {
    const { event = line } = JSON.parse(line) as { event?: string };
    this.kernel.note(`logs ${line}`);
    this.logged.set(event, (this.logged.get(event) ?? 0) + 1);
  }
}
