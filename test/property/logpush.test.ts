/** Uploads that are broken off anywhere: the same frames come again, and a shard counts those that it lacks. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KeyedHash } from "../../src/base/hash.ts";
import { MINUTE_MS, PAST_MAX_MS } from "../../src/config.ts";
import { LogpushCollector } from "../../src/edge/logpush.ts";
import { UserAgentClassifier } from "../../src/edge/user-agent.ts";
import { TakenFrames } from "../../src/ingest/taken-frames.ts";
import { decodeFrame } from "../../src/wire/frame.ts";
import { runs } from "../support/runs.ts";
import { ja4Of } from "../support/window-frames.ts";

const NOW = Date.parse("2026-11-23T12:00:00Z");
const MAP = { epoch: 3, shards: 3 };
const hash = new KeyedHash(new Uint8Array(16).fill(5));
const agents = new UserAgentClassifier();

/** What shards know of one upload. */
class Shards {
  rows = 0;
  readonly counters = { rejected: 0, expired: 0, fields_dropped: 0 };
  readonly #ids = Array.from({ length: MAP.shards }, () => new TakenFrames());

  take(shard: number, bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    const ids = this.#ids[shard]!;
    expect(ids.age(frame.id)).not.toBe("stale");
    if (ids.age(frame.id) === "taken") return;
    ids.take(frame.id, 1);
    this.rows += frame.rows;
    for (const name of ["rejected", "expired", "fields_dropped"] as const)
      this.counters[name] += frame.counters[name];
  }
}

/** Sends an upload's frames until as many as `until` were taken; answers the counts. */
async function send(lines: readonly string[], shards: Shards, until: number) {
  const collector = new LogpushCollector({ map: MAP, hash, agents, nowMs: NOW, seed: "logpush/shop/abc" });
  const utf8 = new TextEncoder();
  let left = until;
  const flush = async () => {
    for (const { shard, bytes } of await collector.take()) if (left-- > 0) shards.take(shard, bytes);
  };
  for (const line of lines) {
    collector.add(utf8.encode(line));
    if (collector.isFull) await flush();
  }
  await flush();
  return collector.counts;
}

const kinds = fc.constantFrom("good", "expired", "late", "broken", "dropped", "bare", "worker");
function lineOf(kind: string, i: number): string {
  const ages: Record<string, number> = { expired: PAST_MAX_MS + 1, late: PAST_MAX_MS };
  const record = {
    EdgeStartTimestamp: NOW - (ages[kind] ?? MINUTE_MS),
    ...(kind === "bare" ? {} : { JA4: ja4Of(i % 50) }),
    ...(kind === "dropped" ? { ClientASN: "no" } : {}),
    ...(kind === "worker" ? { WorkerSubrequest: true } : {}),
    ClientIP: `10.0.${i % 250}.${i % 7}`,
  };
  return kind === "broken" ? "{" : JSON.stringify(record);
}

describe("an upload", () => {
  it("LOGP-6: broken off after any frames and sent again, each record counts once (seed 12)", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(kinds, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 1_500 }),
        fc.array(fc.nat(30), { maxLength: 4 }),
        async (pattern, times, cuts) => {
          const lines = Array.from({ length: times * pattern.length }, (_, i) =>
            lineOf(pattern[i % pattern.length]!, i),
          );
          const shards = new Shards();
          for (const cut of cuts) await send(lines, shards, cut);
          const { accepted, rejected, expired } = await send(lines, shards, Number.POSITIVE_INFINITY);
          expect(shards.rows).toBe(accepted);
          expect(accepted).toBe(times * pattern.filter((kind) => !/expired|broken|worker/.test(kind)).length);
          const dropped = times * pattern.filter((kind) => kind === "dropped").length;
          expect(shards.counters).toEqual({ rejected, expired, fields_dropped: dropped });
        },
      ),
      { numRuns: runs(40), seed: 12 },
    );
  });

  it("LOGP-6: a hundred chunks, all of them twice, with every row a fingerprint of its own that has signals", async () => {
    const line = (i: number) =>
      JSON.stringify({
        ...{
          EdgeStartTimestamp: NOW - MINUTE_MS,
          JA4: ja4Of(i),
          ClientRequestPath: `/${"ä".repeat(200)}${i}`,
        },
        ...{
          ClientRequestHost: "ü".repeat(200),
          ClientRequestMethod: "ö".repeat(200),
          RayID: "r".repeat(64),
        },
        JA4Signals: { h2h3_ratio_1h: 0.5 },
      });
    const rows = runs(100_000);
    const lines = Array.from({ length: rows }, (_, i) => line(i % 9_000));
    const shards = new Shards();
    await send(lines, shards, 50);
    await send(lines, shards, Number.POSITIVE_INFINITY);
    expect(shards.rows).toBe(rows);
  });
});
