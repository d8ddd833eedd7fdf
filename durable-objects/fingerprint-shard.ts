/**
 * FingerprintShard: one per site and shard. Owns the windows, the log, the episodes of its fingerprints. A thin adapter:
 * decode, call `src/`, store, schedule.
 */
import type { ClaimResult, ShardSettings } from "../src/api/objects.ts";
import { errorClass, logWarning } from "../src/base/log.ts";
import type { Random } from "../src/base/random.ts";
import { RANKS_WAIT_MS } from "../src/config.ts";
import { DEFAULT_DETECTION } from "../src/detect/settings.ts";
import { pulseOf } from "../src/detect/site/pulse.ts";
import { siteOf } from "../src/detect/site-view.ts";
import { IngestLog } from "../src/ingest/log.ts";
import { recover } from "../src/ingest/recovery.ts";
import { type Options, parseOptions } from "../src/options.ts";
import type { FeaturePage, FeatureQuery } from "../src/reading/features.ts";
import type { FingerprintAnswer } from "../src/schemas/reading.ts";
import type { ShardReport } from "../src/signals/census-wire.ts";
import type { Pulse } from "../src/signals/pulse.ts";
import { minuteOf } from "../src/window/time.ts";
import type { Window } from "../src/window/window.ts";
import type { IngestResult } from "../src/wire/ingest.ts";
import { Claims } from "./claims.ts";
import { DetectionMemory } from "./detection-memory.ts";
import type { Env } from "./env.ts";
import { Outbox } from "./outbox.ts";
import { RanksLink } from "./ranks-link.ts";
import { ReadShard } from "./read-shard.ts";
import { Reader } from "./reader.ts";
import { SiteEvents } from "./site-events.ts";
import { FIRST_SHARD, SiteWatch } from "./site-watch.ts";
import { ShardStore } from "./sql/shard-store.ts";
import { SiteStore } from "./sql/site-store.ts";
import { parseShardName, type ShardPlace, Stubs } from "./stubs.ts";
import { Ticker } from "./ticker.ts";
import { pause, withTimeout } from "./timeout.ts";
import { Watch } from "./watch.ts";

export class FingerprintShard extends ReadShard {
  readonly #options: Options;
  readonly #place: ShardPlace;
  readonly #store: ShardStore;
  readonly #window: Window;
  readonly #log: IngestLog;
  readonly #ranks: RanksLink;
  readonly #watch: Watch;
  readonly #learned: DetectionMemory;
  readonly #outbox: Outbox;
  readonly #claims: Claims;
  readonly #ticker: Ticker;
  protected override readonly reader: () => Reader;
  readonly #siteWatch: SiteWatch;
  readonly #siteEvents: SiteEvents;
  #beat: Pulse | undefined;
  #settings: ShardSettings;
  #lastIngestMs = 0;
  #trimmedMinute = 0;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#options = parseOptions(env);
    this.#place = parseShardName(ctx.id.name);
    const { site } = this.#place;
    const stubs = new Stubs(env, this.#options);
    this.#store = new ShardStore(ctx.storage);
    this.#settings = {
      revision: 0,
      shards: this.#options.shards,
      thresholds: [],
      silences: [],
      detection: DEFAULT_DETECTION,
      // Code of before kept fewer of them.
      ...this.#store.meta.get<Partial<ShardSettings>>("settings"),
    };
    this.#claims = new Claims(this.#store);
    this.#ticker = new Ticker(ctx.storage, this.#options.tickMs, this.#place.shard);
    const recovery = recover(this.#store, Date.now(), this.#seed());
    const { memory, replayed, unreadable, checkpoint } = recovery;
    if (unreadable > 0) this.#warn("log_unreadable", undefined, { count: unreadable });
    if (checkpoint === "unreadable") this.#warn("checkpoint_unreadable", undefined, { count: replayed });
    this.#window = memory.window;
    this.#log = new IngestLog(this.#store, recovery, {
      nowMs: () => Date.now(),
      sync: () => this.#committed(),
      pause,
    });
    // Or a shard that was evicted under way would tick as one where nothing comes in.
    this.#lastIngestMs = this.#log.lastRowMs;
    this.#log.setDelay(this.#settings.detection.delayMs, Date.now());
    this.#window.noteFirstData(this.#store.meta.get<number>("first_data_ms"));
    const pulse = () => this.#pulse();
    this.#ranks = new RanksLink(this.#window, this.#place, () => stubs.census(site), pulse);
    const named = { name: site, origin: this.#options.publicUrl ?? "" };
    const random: Random = (bytes) => crypto.getRandomValues(bytes);
    this.#watch = new Watch(this.#store, this.#window, memory.evidence, named, random);
    this.#siteEvents = new SiteEvents(this.#store, new SiteStore(ctx.storage), named, random);
    this.#learned = new DetectionMemory(this.#store.detection, site);
    this.#outbox = new Outbox(this.#store, stubs, this.#place);
    const reader = new Reader({
      place: this.#place,
      tickMs: this.#options.tickMs,
      memory,
      log: this.#log,
      ranks: this.#ranks,
      watch: this.#watch,
      logBack: () => this.#store.logRowsBack(),
      firstDataMs: () => this.#firstDataMs(),
    });
    this.reader = () => {
      this.#advance();
      return reader;
    };
    this.#siteWatch = new SiteWatch({
      place: this.#place,
      stubs,
      watch: this.#watch,
      nowMs: () => this.#window.nowMs,
      summary: () => this.summary(),
      noteSuppressed: (count) => this.#log.noteSuppressed(count),
    });
    ctx.blockConcurrencyWhile(() => this.#ticker.load());
  }

  /** Takes frames; answers after they are on disk. `shards`: the site's number of shards. */
  async ingest(payloads: Uint8Array[], shards: number): Promise<IngestResult> {
    const result = await this.#log.accept(payloads, Date.now());
    if (result.ok && this.#settings.shards !== shards) this.#keepSettings({ ...this.#settings, shards });
    return result;
  }

  /** Claims an Idempotency-Key whose home is this shard. */
  claim(key: string, bodyHash: Uint8Array): ClaimResult {
    return this.#claims.claim(key, bodyHash, Date.now());
  }

  settle(key: string, answer: string | undefined): void {
    this.#claims.settle(key, answer);
  }

  noteDuplicate(count: number): void {
    this.#log.noteDuplicate(count);
  }

  /** Full forms of those of `ja4s` that were seen in the last hour. */
  async read(ja4s: string[]): Promise<{ found: FingerprintAnswer[]; missing: number[] }> {
    await this.#freshRanks();
    return this.reader().forms(ja4s);
  }

  /** Feature rows in order of their fingerprints. */
  async features(query: FeatureQuery): Promise<FeaturePage> {
    await this.#freshRanks();
    return this.reader().features(query);
  }

  /** The Census asks this of a shard that it has not heard of. */
  rankTables(): ShardReport {
    this.#advance();
    return this.#ranks.fullReport(this.#window.firstDataMs, this.#ticker.nextMs);
  }

  /** Puts settings into force at once; answers the revision in force (an older push is ignored). */
  async applySettings(settings: ShardSettings): Promise<number> {
    if (settings.revision < this.#settings.revision) return this.#settings.revision;
    this.#keepSettings(settings);
    this.#log.setDelay(settings.detection.delayMs, Date.now());
    // What is in the window already is judged now, not at the next tick, which may be a minute away.
    const isDue = !this.#window.isEmpty || this.#watch.isBusy || this.#siteWatch.isOn(settings);
    if (isDue) await this.#ticker.set(Date.now());
    return settings.revision;
  }

  activeThresholds(): Record<string, string[]> {
    return this.#watch.activeThresholds();
  }

  /** A group of frames was written: sees to the tick, and resolves when the group is durable, the alarm with it. */
  #committed(): Promise<void> {
    const nowMs = Date.now();
    this.#lastIngestMs = nowMs;
    this.ctx.waitUntil(this.#ticker.isOverdue(nowMs) ? this.#tick() : this.#schedule());
    return this.ctx.storage.sync();
  }

  override async alarm(): Promise<void> {
    await this.#tick();
  }

  async #tick(): Promise<void> {
    this.#advance();
    const nowMs = Date.now();
    this.#ticker.rung();
    // The next alarm first: setting it replaces the platform's retry, so a tick that throws is followed by another.
    await this.#schedule();
    const ranksOf = (ja4: string) => this.#ranks.of(ja4);
    const pulses = [this.#pulse(), ...this.#ranks.pulses];
    const { memory } = this.#learned;
    const suppressed = this.#watch.tick(this.#settings, this.#firstDataMs(), ranksOf, { memory, pulses });
    this.#log.noteSuppressed(suppressed);
    if (this.#place.shard === FIRST_SHARD)
      this.#siteEvents.tick(pulses, this.#window.nowMs, this.#firstDataMs());
    this.#keep(() => this.#log.checkpoint(nowMs));
    this.#keep(() => this.#learned.keep(this.#window.nowMs));
    if (minuteOf(nowMs) !== this.#trimmedMinute) this.#keep(() => this.#trim(nowMs));
    const results = await Promise.allSettled([
      this.#exchangeRanks(),
      this.#outbox.deliver(),
      // Shards that keep it waiting must not keep other events waiting.
      this.#siteWatch.tick(this.#settings, () => this.#outbox.deliver()),
    ]);
    for (const result of results) {
      if (result.status === "rejected") this.#warn("tick_incomplete", result.reason);
    }
    await this.#schedule();
  }

  /** What can wait for the next time, e.g. because the disk is full, must not keep the rest of a tick from happening. */
  #keep(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#warn("tick_incomplete", error);
    }
  }

  /** Once a minute: forgets what is old, keeps what the log will not hold much longer. */
  #trim(nowMs: number): void {
    this.#trimmedMinute = minuteOf(nowMs);
    const firstDataMs = this.#firstDataMs();
    if (firstDataMs !== (this.#store.meta.get<number>("first_data_ms") ?? 0)) {
      this.#store.meta.set("first_data_ms", firstDataMs);
    }
    // By the windows' time: what they still hold must still be in the log.
    this.#log.trim(this.#window.nowMs);
    this.#claims.expire(nowMs);
  }

  #advance(): void {
    this.#window.advance(this.#log.asOfMs(Date.now()));
  }

  /** What this part of the site does now; looked at once a tick. */
  #pulse(): Pulse {
    const { nowMs } = this.#window;
    if (this.#beat?.asOfMs !== nowMs)
      this.#beat = pulseOf(siteOf(this.#window, this.#window.firstDataMs), this.#log.totals().sources);
    return this.#beat;
  }

  /** The site's first data: the oldest that this shard or the Census knows of. 0 = none. */
  #firstDataMs(): number {
    this.#window.noteFirstData(this.#ranks.firstDataMs);
    return this.#window.firstDataMs;
  }

  async #freshRanks(): Promise<void> {
    this.#advance();
    if (!this.#ranks.isStale(this.#window.nowMs)) return;
    try {
      await withTimeout(this.#exchangeRanks(), RANKS_WAIT_MS, "census");
    } catch (error) {
      this.#warn("ranks_stale", error);
    }
  }

  async #exchangeRanks(): Promise<void> {
    const { shards } = this.#settings;
    const isRead = await this.#ranks.exchange(shards, this.#window.firstDataMs, this.#ticker.nextMs);
    if (!isRead) this.#warn("census_form");
  }

  #schedule(): Promise<void> {
    return this.#ticker.schedule(Date.now(), {
      // What came last is yet to come into the windows.
      lastIngestMs: this.#lastIngestMs + this.#settings.detection.delayMs,
      busy: this.#watch.isBusy || this.#outbox.isWaiting || this.#siteWatch.isOn(this.#settings),
      empty: this.#window.isEmpty && this.#log.isEmpty,
    });
  }

  #keepSettings(settings: ShardSettings): void {
    this.#settings = settings;
    this.#store.meta.set("settings", settings);
  }

  /** Of the shard's own: clients must not be able to aim at its tables, and a start must find the same ones. */
  #seed(): number {
    const held = this.#store.meta.get<number>("seed");
    if (held !== undefined) return held;
    const seed = crypto.getRandomValues(new Uint32Array(1))[0]!;
    this.#store.meta.set("seed", seed);
    return seed;
  }

  #warn(event: string, error?: unknown, more: { count?: number } = {}): void {
    const { site, shard } = this.#place;
    logWarning({ event, site, shard, ...more, ...(error === undefined ? {} : { error: errorClass(error) }) });
  }
}
