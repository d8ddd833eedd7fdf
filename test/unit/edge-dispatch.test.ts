/** Frames of the API on their way to shards of this version and of the one before. */
import { describe, expect, it } from "vitest";
import { incomplete } from "../../src/api/ingest.ts";
import { FRAME_ID_WINDOW } from "../../src/config.ts";
import { Channels } from "../../src/edge/channels.ts";
import { ChannelIds, dispatch, type Parcel, parcels, seededIds } from "../../src/edge/dispatch.ts";
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

describe("ids of the API's frames", () => {
  const builders = () =>
    new Map([
      [0, [new FrameBuilder(), new FrameBuilder()]],
      [2, [new FrameBuilder()]],
    ]);
  const idsOf = (list: readonly Parcel[]) =>
    list.map(({ shard, bytes }) => [shard, Buffer.from(decodeFrame(bytes).id).toString("hex")] as const);

  it("EDGE-42: with a key they follow from it: a source a shard, the place as its sequence", async () => {
    const of = async (seed: string) =>
      idsOf(await parcels(builders(), seededIds(seed), "observations", NO_COUNTERS));
    const ids = await of("key/shop/1");
    expect(await of("key/shop/1")).toEqual(ids);
    expect(ids).toEqual([
      // The first 12 bytes of SHA-256 of `key/shop/1/0` and `key/shop/1/2`.
      [0, `a42cbcf3419ed45d10ac2f1500000001`],
      [0, `a42cbcf3419ed45d10ac2f1500000002`],
      [2, `4da9fc3d2e0e3880fa08b60900000001`],
    ]);
    const others = await of("key/shop/2");
    expect(others.filter(([, id]) => ids.some(([, mine]) => mine === id))).toEqual([]);
  });

  it("EDGE-42: with a key no frame is made whose repeat would be too old to know", async () => {
    const ids = seededIds("seed");
    await expect(ids.next(0, FRAME_ID_WINDOW - 1)).resolves.toHaveLength(16);
    await expect(ids.next(0, FRAME_ID_WINDOW)).rejects.toThrow(RangeError);
  });

  it("EDGE-42: without a key they are the isolate's own, of channels that one request has alone and the next one again", async () => {
    const channels = new Channels((bytes) => bytes.fill(0xaa));
    const of = async (ids: ChannelIds) => idsOf(await parcels(builders(), ids, "observations", NO_COUNTERS));
    const [one, two] = [new ChannelIds(channels, "shop", 1), new ChannelIds(channels, "shop", 1)];
    const a = "aa".repeat(10);
    expect(await of(one)).toEqual([
      [0, `${a}000000000001`],
      [0, `${a}000000000002`],
      [2, `${a}000100000001`],
    ]);
    expect((await of(two)).map(([, id]) => id.slice(20, 24))).toEqual(["0002", "0002", "0003"]);
    one.close();
    expect(await of(new ChannelIds(channels, "shop", 1))).toEqual([
      [0, `${a}000000000003`],
      [0, `${a}000000000004`],
      [2, `${a}000100000002`],
    ]);
  });
});

describe("a shard that does not take what the API sends", () => {
  const RETRIES_3 = { tries: 3, wait: async () => undefined, random: () => 0.5 };
  /** Three calls for shard 0, which take more than one call's bytes each, and one for shard 1. */
  const list: Parcel[] = [0, 0, 0, 1].map((shard, i) => ({
    shard,
    rows: 10 + i,
    bytes: new Uint8Array(3_000_000),
  }));

  async function outcomeOf(answers: (shard: number, call: number) => IngestResult) {
    const calls = [0, 0];
    const outcome = await dispatch(
      list,
      async (shard) => answers(shard, ++calls[shard]!),
      RETRIES_3,
      new Peers(),
      () => undefined,
    );
    return { ...outcome, calls };
  }
  const took = (accepted: number) =>
    ({ ok: true, accepted, duplicate: 0, stale: 0, flushAfterMs: 0 }) as const;

  it("EDGE-43: is sent none of the later calls, and what it took before counts", async () => {
    const overloaded = await outcomeOf((shard, call) =>
      shard === 0 && call === 2 ? { ok: false, fault: "overloaded" } : took(7),
    );
    expect(overloaded).toEqual({ counted: 14, failed: [0], overloaded: true, calls: [2, 1] });
    const refused = await outcomeOf((shard) => (shard === 0 ? { ok: false, fault: "malformed" } : took(7)));
    expect(refused).toEqual({ counted: 7, failed: [0], overloaded: false, calls: [1, 1] });
  });

  it("EDGE-43: one that finds frames too old has not taken them: what is not on disk is not answered as if it were", async () => {
    const stale = await outcomeOf((shard) =>
      shard === 0 ? { ...took(3), duplicate: 2, stale: 5 } : took(7),
    );
    expect(stale).toEqual({ counted: 12, failed: [0], overloaded: false, calls: [1, 1] });
  });

  it("EDGE-43: the answer tells an overload from a failure, what counted, and when to come back: 5 s to 10 s, spread", () => {
    const answerTo = (overloaded: boolean, random: number) => {
      const { status, code, more } = incomplete({ counted: 14, overloaded }, random);
      return [status, code, more.members?.counted, more.headers?.["retry-after"]];
    };
    expect(answerTo(true, 0)).toEqual([503, "overloaded", 14, "5"]);
    expect(answerTo(true, 0.999_999)).toEqual([503, "overloaded", 14, "10"]);
    expect(answerTo(false, 0.5)).toEqual([503, "unavailable", 14, "8"]);
  });
});
