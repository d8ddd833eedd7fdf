/** Frames of the API on their way to shards of this version and of the one before. */
import { describe, expect, it } from "vitest";
import { dispatch, parcels, seededIds } from "../../src/edge/dispatch.ts";
import { Peers } from "../../src/edge/peers.ts";
import { unpack } from "../../src/wire/codec.ts";
import { decodeFrame } from "../../src/wire/frame.ts";
import { FrameBuilder, NO_COUNTERS } from "../../src/wire/frame-builder.ts";
import type { IngestResult } from "../../src/wire/ingest.ts";
import { row } from "../support/frames.ts";

const RETRIES = { tries: 1, wait: async () => undefined, random: () => 0.5 };

/** Shards that read frames up to a version, and what they were offered. */
class Shards {
  readonly offered: { shard: number; versions: number[]; ids: string[] }[] = [];
  readonly #reads: number;

  constructor(reads: number) {
    this.#reads = reads;
  }

  readonly send = async (shard: number, payloads: Uint8Array[]): Promise<IngestResult> => {
    const versions = payloads.map((bytes) => (unpack(bytes) as { v: number }).v);
    const frames = payloads.map(decodeFrame);
    this.offered.push({ shard, versions, ids: frames.map(({ id }) => id.join()) });
    if (versions.some((version) => version > this.#reads)) return { ok: false, fault: "unknown_version" };
    const accepted = frames.reduce((sum, { rows }) => sum + rows, 0);
    return { ok: true, accepted, duplicate: 0, stale: 0, flushAfterMs: 0 };
  };
}

async function listOf(rows: number) {
  const builders = new Map<number, FrameBuilder[]>();
  for (let shard = 0; shard < 3; shard++) {
    const builder = new FrameBuilder();
    for (let i = 0; i < rows; i++) builder.add(row({ asnNumber: i }));
    builders.set(shard, [builder]);
  }
  return parcels(builders, seededIds("seed"), "observations", NO_COUNTERS);
}

describe("a shard of earlier code", () => {
  it("EDGE-27: the API's frames are repeated with the same ids in the older form, and sent so from then on", async () => {
    const shards = new Shards(1);
    const peers = new Peers();
    const failures: number[] = [];
    const first = await dispatch(await listOf(4), shards.send, RETRIES, peers, (shard) =>
      failures.push(shard),
    );
    expect([first, failures]).toEqual([{ counted: 12, failed: [], overloaded: false }, []]);
    // All three were under way before one of them was refused.
    expect(shards.offered.map(({ versions }) => versions[0])).toEqual([2, 2, 2, 1, 1, 1]);
    for (const { shard, ids } of shards.offered.slice(3)) {
      expect(shards.offered.slice(0, 3).find((before) => before.shard === shard)?.ids).toEqual(ids);
    }
    shards.offered.length = 0;
    await dispatch(await listOf(1), shards.send, RETRIES, peers, () => undefined);
    expect(shards.offered.map(({ versions }) => versions[0])).toEqual([1, 1, 1]);
  });

  it("EDGE-27: one of this version gets one call; one that reads neither form fails", async () => {
    const now = new Shards(2);
    await dispatch(await listOf(1), now.send, RETRIES, new Peers(), () => undefined);
    expect(now.offered.map(({ versions }) => versions[0])).toEqual([2, 2, 2]);
    const never = new Shards(0);
    const outcome = await dispatch(await listOf(1), never.send, RETRIES, new Peers(), () => undefined);
    expect(outcome).toEqual({ counted: 0, failed: [0, 1, 2], overloaded: false });
  });
});
