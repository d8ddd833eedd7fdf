/**
 * Census: one per site. Keeps the newest count-of-counts of every shard and gives each the merged tables back, from which
 * ranks, quantiles and the population follow exactly. Memory only: after a restart it asks the shards it misses.
 */
import { DurableObject } from "cloudflare:workers";
import { errorClass, logWarning } from "../src/base/log.ts";
import { HOUR_MS, OBJECT_CALL_TIMEOUT_MS } from "../src/config.ts";
import { type Options, parseOptions } from "../src/options.ts";
import { type MergedRanks, mergeReports, type ShardReport } from "../src/signals/census.ts";
import type { Env } from "./env.ts";
import { Stubs, siteOfName } from "./stubs.ts";
import { withTimeout } from "./timeout.ts";

export class Census extends DurableObject<Env> {
  readonly #options: Options;
  readonly #site: string;
  readonly #reports = new Map<number, ShardReport>();
  readonly #asked = new Map<number, Promise<void>>();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#options = parseOptions(env);
    this.#site = siteOfName(ctx.id.name);
  }

  /** Takes a shard's newest numbers in place of its older ones and answers the whole site's. */
  async report(
    shard: number,
    report: ShardReport,
    map: { epoch: number; shards: number },
  ): Promise<MergedRanks> {
    this.#reports.set(shard, report);
    const nowMs = Date.now();
    for (const [held, { asOfMs }] of this.#reports) {
      // A shard that was silent for an hour has nothing left in its window that it told us of.
      if (held >= map.shards || asOfMs < nowMs - HOUR_MS) this.#reports.delete(held);
    }
    const missing = Array.from({ length: map.shards }, (_, i) => i).filter((i) => !this.#reports.has(i));
    if (missing.length > 0) await Promise.all(missing.map((i) => this.#ask(i, map.epoch)));
    return mergeReports(this.#reports, map.shards, Date.now(), this.#options.tickMs);
  }

  /** Asks a shard that has not reported; the calls of several reporters share one question. */
  #ask(shard: number, epoch: number): Promise<void> {
    let asked = this.#asked.get(shard);
    if (asked === undefined) {
      asked = this.#pull(shard, epoch).finally(() => this.#asked.delete(shard));
      this.#asked.set(shard, asked);
    }
    return asked;
  }

  async #pull(shard: number, epoch: number): Promise<void> {
    const stub = new Stubs(this.env, this.#options).shard({ site: this.#site, epoch, shard });
    try {
      const report = await withTimeout(stub.rankReport(), OBJECT_CALL_TIMEOUT_MS, "shard");
      if (!this.#reports.has(shard)) this.#reports.set(shard, report);
    } catch (error) {
      logWarning({ event: "census_shard_silent", site: this.#site, shard, error: errorClass(error) });
    }
  }
}
