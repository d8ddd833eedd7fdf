/** Entry: exports the Worker, the four classes and the pieces for other Workers; no logic. */
import { WorkerEntrypoint } from "cloudflare:workers";
import type { Env } from "../durable-objects/env.ts";
import { isolateOf } from "../durable-objects/isolate.ts";
import { errorClass, logWarning } from "./base/log.ts";
import { SIGNALS_MAX_AGE_DEFAULT_MS, SIGNALS_WAIT_MS } from "./config.ts";
import type { ObservationRecord } from "./edge/facts.ts";
import { DEFAULT_SITE } from "./options.ts";
import type { FeatureRow } from "./signals/features.ts";
import { handleRequest, type Isolate, misconfigured, observeRecord, signalsOf } from "./worker.ts";

export { AnomalyFeed } from "../durable-objects/anomaly-feed.ts";
export { Census } from "../durable-objects/census.ts";
export { FingerprintShard } from "../durable-objects/fingerprint-shard.ts";
export { Settings } from "../durable-objects/settings.ts";
export { facts } from "./edge/facts.ts";
export { observe } from "./observe.ts";

export default class HelloTide extends WorkerEntrypoint<Env> {
  override async fetch(request: Request): Promise<Response> {
    // Fail open: what we did not foresee sends the visitor to the origin as if we were not there.
    this.ctx.passThroughOnException();
    let isolate: Isolate;
    try {
      isolate = isolateOf(this.env);
    } catch (error) {
      return misconfigured(request, error);
    }
    return handleRequest(request, isolate, this.ctx);
  }

  /** By service binding: one observation, as `facts(request, response)` makes it. Never throws. */
  async observe(record: ObservationRecord, options: { site?: string } = {}): Promise<void> {
    try {
      this.ctx.waitUntil(observeRecord(record, options.site, isolateOf(this.env)));
    } catch (error) {
      logWarning({ event: "observe_failed", error: errorClass(error) });
    }
  }

  /** By service binding: the features of a fingerprint with their `age_ms`, or `undefined`. Never throws, waits ≤ 50 ms. */
  async signals(
    ja4: string,
    options: { site?: string; max_age_ms?: number } = {},
  ): Promise<(FeatureRow & { age_ms: number }) | undefined> {
    try {
      const { site = DEFAULT_SITE, max_age_ms: maxAgeMs = SIGNALS_MAX_AGE_DEFAULT_MS } = options;
      return await signalsOf(site, ja4, maxAgeMs, SIGNALS_WAIT_MS, isolateOf(this.env), this.ctx);
    } catch (error) {
      logWarning({ event: "signals_failed", error: errorClass(error) });
      return undefined;
    }
  }
}
