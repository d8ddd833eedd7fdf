/**
 * Census: one per site. Keeps the newest count-of-counts of every shard and gives each the merged tables back, from which
 * ranks, quantiles and the population follow exactly. Memory only: after a restart it asks the shards it misses.
 */
import { DurableObject } from "cloudflare:workers";
import { errorClass, logWarning } from "../src/base/log.ts";
import { CENSUS_ASK_MS } from "../src/config.ts";
import { type Options, parseOptions } from "../src/options.ts";
import { CensusBook } from "../src/signals/census.ts";
import { type CensusAnswer, readShardReport } from "../src/signals/census-wire.ts";
import type { Env } from "./env.ts";
import type { Reporter } from "./ranks-link.ts";
import { Stubs, siteOfName } from "./stubs.ts";
import { withTimeout } from "./timeout.ts";

export class Census extends DurableObject<Env> {
  readonly #options: Options;
  readonly #site: string;
  readonly #book: CensusBook;
  readonly #asked = new Map<number, { atMs: number; answered: Promise<void> }>();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#options = parseOptions(env);
    this.#site = siteOfName(ctx.id.name);
    this.#book = new CensusBook(Date.now(), this.#options.tickMs);
  }

  /** Takes a shard's newest numbers in place of its older ones and answers the whole site's. `told`: a ShardReport. */
  async exchange(told: object, { epoch, shard, shards, known }: Reporter): Promise<CensusAnswer> {
    const report = readShardReport(told);
    if (report === "unknown_form") {
      this.#warn("census_form", shard);
      return { ok: false, fault: report };
    }
    if (!this.#book.take(shard, report)) return { ok: false, fault: "not_held" };
    const unheard = this.#book.unheard(shards);
    if (unheard.length > 0) await Promise.all(unheard.map((other) => this.#ask(other, epoch)));
    return this.#book.answer(shards, Date.now(), known);
  }

  /** Asks a shard that has not reported; all reporters of a tick share one question and one wait. */
  async #ask(shard: number, epoch: number): Promise<void> {
    const nowMs = Date.now();
    let asked = this.#asked.get(shard);
    if (asked === undefined || nowMs - asked.atMs >= this.#options.tickMs) {
      asked = { atMs: nowMs, answered: this.#pull(shard, epoch) };
      this.#asked.set(shard, asked);
    }
    const waitMs = asked.atMs + CENSUS_ASK_MS - nowMs;
    if (waitMs <= 0) return;
    // An answer that comes later still counts, for the next reporter.
    await withTimeout(asked.answered, waitMs, "shard").catch(() => this.#warn("census_waits", shard));
  }

  async #pull(shard: number, epoch: number): Promise<void> {
    try {
      const stub = new Stubs(this.env, this.#options).shard({ site: this.#site, epoch, shard });
      const report = readShardReport(await stub.rankTables());
      if (report === "unknown_form") this.#warn("census_form", shard);
      // What it reported by itself meanwhile is newer, and its ranks are looked up with that.
      else if (!this.#book.has(shard)) this.#book.take(shard, report);
    } catch (error) {
      this.#warn("census_shard_silent", shard, error);
    }
  }

  #warn(event: string, shard: number, error?: unknown): void {
    logWarning({
      event,
      site: this.#site,
      shard,
      ...(error === undefined ? {} : { error: errorClass(error) }),
    });
  }
}
