/** What an isolate holds back and when it sends: every decision, with the time passed in. */
import { describe, expect, it } from "vitest";
import { Batch, type BatchLimits } from "../../src/edge/batch.ts";
import { NO_COUNTERS, type Row } from "../../src/wire/frame-builder.ts";

const LIMITS: BatchLimits = {
  fullRows: 10,
  maxRows: 20,
  maxInflight: 3,
  ageMs: 10_000,
  sendTimeoutMs: 5_000,
};
/** The leader's lease: the age, and room for its wake-up. */
const LEASE_MS = 12_000;
const NOTHING = { resend: [], send: false, lead: undefined };

const row: Row = {
  ...{ timestampMs: 0, ja4: "", flags: 0, ipHash: 0, uaHash: 0, pathHash: 0, hostHash: 0, asnNumber: 0 },
  ...{ signals: undefined, path: undefined, host: undefined, method: undefined },
  ...{ status: undefined, asn: undefined, rayId: undefined },
};

function batchOf(limits: Partial<BatchLimits> = {}): Batch {
  return new Batch({ ...LIMITS, ...limits });
}

function fill(batch: Batch, count: number, nowMs = 0, site = "shop"): void {
  for (let i = 0; i < count; i++) batch.add(site, "edge", row, 0, nowMs);
}

/** Everything held, as sent on its way. */
function takeAll(batch: Batch, nowMs = 0) {
  const all = batch.take(nowMs);
  for (const taken of all) batch.settle(taken);
  return all;
}

const frame = (over: Partial<Parameters<Batch["sent"]>[1]> = {}) => ({
  ...{ site: "shop", shard: 0, rows: 4, counters: NO_COUNTERS, bytes: new Uint8Array(1) },
  ...over,
});

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

describe("in flight", () => {
  it("BATCH-8: what has no answer in time is sent again with the same id, by one request at a time, until it is acknowledged", () => {
    const batch = batchOf();
    batch.sent("a", frame(), 0);
    expect(batch.duty(4_999).resend).toEqual([]);
    expect(batch.duty(5_000).resend).toMatchObject([["a", { shard: 0, rows: 4 }]]);
    expect(batch.duty(5_001).resend).toEqual([]);
    expect(batch.duty(10_000).resend).toHaveLength(1);
    batch.acked("a");
    expect([batch.duty(60_000).resend, batch.inflight]).toEqual([[], 0]);
    expect(told(batch)).toEqual({ rows: 0, lost: 0, dropped: 0 });
  });

  it("BATCH-9: frames in flight are bounded; the oldest is given up and counted, with what it carried", () => {
    const batch = batchOf();
    batch.sent("a", frame({ counters: { ...NO_COUNTERS, lost_at_edge: 7, fields_dropped: 2 } }), 0);
    for (const id of ["b", "c", "d"]) batch.sent(id, frame({ rows: 1 }), 0);
    expect(batch.inflight).toBe(3);
    expect(batch.duty(5_000).resend.map(([id]) => id)).toEqual(["b", "c", "d"]);
    expect(told(batch)).toEqual({ rows: 0, lost: 4 + 7, dropped: 2 });
  });

  it("BATCH-10: a frame that is refused for good is counted once, with what it carried", () => {
    const batch = batchOf();
    batch.sent("a", frame({ counters: { ...NO_COUNTERS, lost_at_edge: 1 } }), 0);
    batch.refused("a");
    batch.refused("a");
    batch.acked("a");
    expect([batch.inflight, told(batch)]).toEqual([0, { rows: 0, lost: 5, dropped: 0 }]);
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

  it("BATCH-12: frames in flight are sent again also while it is quiet", () => {
    const batch = batchOf();
    batch.sent("a", frame(), 0);
    fill(batch, 1);
    batch.putBack(batch.take(0)[0]!, 4_000, 5_000);
    expect(batch.duty(6_000)).toMatchObject({ resend: [["a", {}]], send: false, lead: undefined });
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
    batch.settle(dead!);
    batch.putBack(dead!, 8_000, 0);
    batch.abandon(dead!);
    expect(told(batch)).toEqual({ rows: 4, lost: 2, dropped: 0 });
    expect(told(batch)).toEqual({ rows: 0, lost: 0, dropped: 0 });
  });

  it("BATCH-16: rows that are taken count against the bound until they are sent", () => {
    const batch = batchOf();
    fill(batch, 20);
    const [taken] = batch.take(0);
    fill(batch, 3);
    expect(batch.rows).toBe(20);
    batch.settle(taken!);
    fill(batch, 3);
    expect([batch.rows, told(batch)]).toEqual([3, { rows: 3, lost: 3, dropped: 0 }]);
  });

  it("BATCH-17: what cannot be made into frames is counted as lost, with what it carried", () => {
    const batch = batchOf();
    fill(batch, 5);
    batch.lose("shop", 1);
    batch.abandon(batch.take(0)[0]!);
    expect([batch.rows, told(batch)]).toEqual([0, { rows: 0, lost: 6, dropped: 0 }]);
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
