/** What an isolate holds back and when it sends: every decision, with the time passed in. */
import { describe, expect, it } from "vitest";
import { Batch, type BatchLimits } from "../../src/edge/batch.ts";
import { Channels } from "../../src/edge/channels.ts";
import { NO_COUNTERS, type Row } from "../../src/wire/frame-builder.ts";

const LIMITS: BatchLimits = {
  fullRows: 10,
  maxRows: 20,
  maxInflight: 3,
  ageMs: 10_000,
  ageMaxMs: 20_000,
  sendTimeoutMs: 5_000,
};
/** The leader's lease: the age, and room for its wake-up. */
const LEASE_MS = 12_000;
const NOTHING = { drives: [], send: false, lead: undefined };

const row: Row = {
  ...{ timestampMs: 0, ja4: "", flags: 0, ipHash: 0, uaHash: 0, pathHash: 0, hostHash: 0, asnNumber: 0 },
  ...{ signals: undefined, path: undefined, host: undefined, method: undefined },
  ...{ status: undefined, asn: undefined, rayId: undefined },
};

function batchOf(limits: Partial<BatchLimits> = {}, random = 0.5): Batch {
  const chance = { random: () => random, channels: new Channels((bytes) => bytes) };
  return new Batch({ ...LIMITS, ...limits }, chance);
}

function fill(batch: Batch, count: number, nowMs = 0, site = "shop"): void {
  for (let i = 0; i < count; i++) batch.add(site, "edge", row, 0, nowMs);
}

const ONE_SHARD = { epoch: 1, shards: 1 };

/** Everything held, sent and answered. */
function takeAll(batch: Batch, nowMs = 0) {
  const all = batch.take(nowMs);
  for (const taken of all) {
    for (const drive of batch.load(taken, ONE_SHARD, nowMs)) {
      for (;;) {
        const frame = batch.lanes.begin(drive, nowMs);
        if (frame === undefined) break;
        batch.lanes.answered(drive, frame);
      }
    }
  }
  return all;
}

/** What the next frames of a site would tell. */
function told(batch: Batch, site = "shop") {
  const mine = takeAll(batch).filter((taken) => taken.site === site);
  const sum = (of: (taken: (typeof mine)[number]) => number) =>
    mine.reduce((total, taken) => total + of(taken), 0);
  return {
    rows: sum(({ rows }) => rows),
    lost: sum(({ counters }) => counters.lost_at_edge),
    dropped: sum(({ counters }) => counters.fields_dropped),
  };
}

describe("leader", () => {
  it("BATCH-1: the first request leads for the age, the others do nothing; an empty batch has nobody", () => {
    const batch = batchOf();
    expect(batch.duty(0)).toEqual(NOTHING);
    fill(batch, 1);
    expect(batch.duty(0)).toEqual({ ...NOTHING, lead: { ms: 10_000, lease: 1 } });
    fill(batch, 1);
    expect(batch.duty(9_999)).toEqual(NOTHING);
    expect(batch.leads(1)).toBe(true);
    expect(told(batch).rows).toBe(2);
  });

  it("BATCH-2: a leader that died is replaced when its lease is over, at the latest when rows are overdue", () => {
    const batch = batchOf();
    fill(batch, 1);
    batch.duty(0);
    fill(batch, 1, 1_000);
    expect(batch.duty(LEASE_MS - 1)).toEqual(NOTHING);
    expect(batch.duty(LEASE_MS)).toEqual({ ...NOTHING, send: true });
  });

  it("BATCH-3: a leader whose rows were sent meanwhile leads no more: early flushes leave no leaders behind", () => {
    const batch = batchOf();
    fill(batch, 1);
    const first = batch.duty(0).lead!;
    fill(batch, 9);
    expect(batch.duty(1).send).toBe(true);
    takeAll(batch);
    expect(batch.leads(first.lease)).toBe(false);
    fill(batch, 1, 2);
    const second = batch.duty(2).lead!;
    expect([batch.leads(first.lease), batch.leads(second.lease)]).toEqual([false, true]);
  });

  /** Flushes in the hour after a minute's flood, by leaders that take `always` or only while they lead. */
  function flushesAfterFlood(always: boolean): number {
    const batch = batchOf();
    let waiting: { atMs: number; lease: number }[] = [];
    let flushes = 0;
    for (let nowMs = 0; nowMs < 3_660_000; nowMs += 100) {
      const flood = nowMs < 60_000;
      fill(batch, flood ? 3 : 1, nowMs);
      const awake = waiting.filter(({ atMs, lease }) => atMs <= nowMs && (always || batch.leads(lease)));
      waiting = waiting.filter(({ atMs }) => atMs > nowMs);
      const { send, lead } = batch.duty(nowMs);
      if (lead !== undefined) waiting.push({ atMs: nowMs + lead.ms, lease: lead.lease });
      if ((send || awake.length > 0) && takeAll(batch, nowMs).length > 0 && !flood) flushes++;
    }
    return flushes;
  }

  it("BATCH-3: after a flood the pace is the old one; the control, with leaders that always take, stays fast", () => {
    expect(flushesAfterFlood(false)).toBe(3_600);
    expect(flushesAfterFlood(true)).toBeGreaterThan(2 * 3_600);
  });
});

describe("sending", () => {
  it("BATCH-4: a full buffer goes at once, also while somebody leads", () => {
    const batch = batchOf();
    fill(batch, 9);
    batch.duty(0);
    expect(batch.duty(1).send).toBe(false);
    fill(batch, 1);
    expect(batch.duty(1)).toEqual({ ...NOTHING, send: true });
  });

  it("BATCH-5: growth past 8 times the last flush, and 16 rows, goes at once", () => {
    const batch = batchOf({ fullRows: 1_000, maxRows: 2_000 });
    fill(batch, 15);
    expect(batch.duty(0).send).toBe(false);
    fill(batch, 1);
    expect(batch.duty(0).send).toBe(true);
    takeAll(batch);
    fill(batch, 128);
    expect(batch.duty(1).send).toBe(false);
    fill(batch, 1);
    expect(batch.duty(1).send).toBe(true);
  });

  it("BATCH-6: a shard's pace makes the age longer, never shorter than the setting", () => {
    const batch = batchOf();
    const age = () => {
      fill(batch, 1);
      const { lead } = batch.duty(0);
      takeAll(batch);
      return lead?.ms;
    };
    batch.pace(15_000);
    expect(age()).toBe(15_000);
    batch.pace(1_000);
    expect(age()).toBe(10_000);
  });

  it("PACE-4: isolates that are asked for the same pace take it spread by a fifth, never longer than the longest", () => {
    const ageAt = (random: number, flushAfterMs: number) => {
      const batch = batchOf({}, random);
      batch.pace(flushAfterMs);
      fill(batch, 1);
      return batch.duty(0).lead?.ms;
    };
    expect([ageAt(0, 15_000), ageAt(0.5, 15_000), ageAt(0.999_999, 15_000)]).toEqual([
      12_000, 15_000, 18_000,
    ]);
    expect([ageAt(0, 20_000), ageAt(0.999_999, 20_000)]).toEqual([16_000, 20_000]);
    expect([ageAt(0, 0), ageAt(0.999_999, 0)]).toEqual([10_000, 10_000]);
  });

  it("PACE-5: an overload doubles the age up to the longest; an answer that asks for no pace brings it back", () => {
    const batch = batchOf({ ageMs: 6_000 });
    const age = () => {
      fill(batch, 1);
      const { lead } = batch.duty(0);
      takeAll(batch);
      return lead?.ms;
    };
    const ages = [age()];
    for (let i = 0; i < 3; i++) {
      batch.slowDown();
      ages.push(age());
    }
    batch.pace(0);
    expect([...ages, age()]).toEqual([6_000, 12_000, 20_000, 20_000, 6_000]);
  });

  it("BATCH-7: rows of different sites and sources are taken apart", () => {
    const batch = batchOf();
    fill(batch, 2);
    batch.add("shop", "binding", row, 1, 0);
    fill(batch, 3, 0, "api");
    const taken = takeAll(batch).map(({ site, source, rows, counters }) => [
      site,
      source,
      rows,
      counters.fields_dropped,
    ]);
    expect(taken).toEqual([
      ["shop", "edge", 2, 0],
      ["shop", "binding", 1, 1],
      ["api", "edge", 3, 0],
    ]);
    expect([takeAll(batch), batch.rows]).toEqual([[], 0]);
  });
});

describe("bounds", () => {
  it("BATCH-11: rows are bounded over all sites, what is cut off is counted under its own", () => {
    const batch = batchOf();
    fill(batch, 15);
    fill(batch, 10, 0, "api");
    expect(batch.rows).toBe(20);
    batch.lose("api", 2);
    const taken = takeAll(batch);
    expect(taken.map(({ site, rows, counters }) => [site, rows, counters.lost_at_edge])).toEqual([
      ["shop", 15, 0],
      ["api", 5, 7],
    ]);
  });

  it("BATCH-12: what could not be sent comes back as far as there is room, and the batch keeps quiet for the pause", () => {
    const batch = batchOf();
    fill(batch, 12);
    batch.lose("shop", 3);
    const [taken] = batch.take(0);
    fill(batch, 15, 100);
    batch.putBack(taken!, 200, 5_000);
    expect(batch.rows).toBe(20);
    expect(batch.duty(5_199)).toEqual(NOTHING);
    expect(batch.duty(5_200).send).toBe(true);
    expect(told(batch)).toEqual({ rows: 20, lost: 3 + 7, dropped: 0 });
  });

  it("BATCH-12: lanes are driven also while it is quiet", () => {
    const batch = batchOf();
    fill(batch, 1);
    batch.load(batch.take(0)[0]!, ONE_SHARD, 0);
    fill(batch, 1);
    batch.putBack(batch.take(0)[0]!, 4_000, 5_000);
    const { drives, send, lead } = batch.duty(8_000);
    expect([drives.length, send, lead]).toEqual([1, false, undefined]);
  });

  it("BATCH-12: after the pause somebody leads again", () => {
    const batch = batchOf();
    fill(batch, 1);
    batch.duty(0);
    batch.putBack(batch.take(0)[0]!, 10_000, 5_000);
    expect(batch.duty(14_999).lead).toBeUndefined();
    expect(batch.duty(15_000).lead?.ms).toBe(10_000);
  });

  it("BATCH-15: what was taken and not sent in time comes back; its taker has it no more", () => {
    const batch = batchOf();
    fill(batch, 4);
    batch.lose("shop", 2);
    const [dead] = batch.take(1_000);
    expect([batch.rows, batch.owns(dead!), batch.duty(7_999)]).toEqual([4, true, NOTHING]);
    expect(batch.duty(8_000).lead?.ms).toBe(10_000);
    expect([batch.rows, batch.owns(dead!)]).toEqual([4, false]);
    // Whatever the late taker does now changes nothing.
    expect(batch.load(dead!, ONE_SHARD, 8_000)).toEqual([]);
    batch.putBack(dead!, 8_000, 0);
    expect(told(batch)).toEqual({ rows: 4, lost: 2, dropped: 0 });
    expect(told(batch)).toEqual({ rows: 0, lost: 0, dropped: 0 });
  });

  it("BATCH-16: rows that are taken, or wait for their shard, count against the bound until they are in a frame", () => {
    const batch = batchOf();
    fill(batch, 20);
    const [taken] = batch.take(0);
    fill(batch, 3);
    expect(batch.rows).toBe(20);
    const [drive] = batch.load(taken!, ONE_SHARD, 0);
    fill(batch, 3);
    expect(batch.rows).toBe(20);
    batch.lanes.answered(drive!, batch.lanes.begin(drive!, 0)!);
    fill(batch, 3);
    expect([batch.rows, told(batch)]).toEqual([3, { rows: 3, lost: 6, dropped: 0 }]);
  });

  it("BATCH-18: a held row is a copy: the caller's object may change", () => {
    const batch = batchOf();
    const mine = { ...row, asnNumber: 1 };
    batch.add("shop", "edge", mine, 0, 0);
    mine.asnNumber = 2;
    batch.add("shop", "edge", mine, 0, 0);
    const [taken] = batch.take(0);
    const { identities } = taken!.builders[0]!.build(new Uint8Array(16), "edge", NO_COUNTERS);
    expect([...identities.asn]).toEqual([1, 2]);
  });
});
