/** `npm run faults -- feed` and `laggard`, short. */
import { beforeAll, describe, expect, it } from "vitest";
import type { Figure } from "../../scripts/lib/faults/fault.ts";
import { feed, feedAgain } from "../../scripts/lib/faults/feed.ts";
import { laggard } from "../../scripts/lib/faults/laggard.ts";
import { figuresOf, measuredOf, missed } from "../support/faults.ts";

const QUICK = { quick: true, log: () => {} };

describe("clients that come and go", () => {
  let figures: readonly Figure[];
  beforeAll(async () => {
    figures = await feed.run(QUICK);
  }, 120_000);

  it("FAULT-7: who reconnects by cursor, over kills, has every event once and in order", () => {
    expect(missed(figures)).toEqual([]);
    expect(figures.length).toBeGreaterThan(6);
  });

  it("FR-5: so has who takes server-sent events and comes back with Last-Event-ID, over evictions too", () => {
    expect(measuredOf(figures, "of those, of server-sent events")).toBeGreaterThan(10);
    expect(measuredOf(figures, "server-sent events with another's id or type")).toBe(0);
    expect(measuredOf(figures, "evictions and kills between them")).toMatch(/^[1-9]\d* and [1-9]/);
  });

  it("FR-11: the same run finds out a feed that sends the event of the cursor once more", async (test) => {
    const control = await figuresOf(feedAgain, test);
    expect(measuredOf(control, "duplicates or out of order")).toBeGreaterThan(0);
  }, 120_000);
});

describe("clients that never read", () => {
  let figures: readonly Figure[];
  beforeAll(async () => {
    figures = await laggard.run(QUICK);
  }, 180_000);
  const streams = () => figures.slice(figures.findIndex(({ figure }) => figure.startsWith("event-stream")));

  it("FAULT-8: who never reads costs the engine no memory, is cut, and lets nobody wait", () => {
    const sockets = figures.slice(0, -streams().length);
    expect(missed(sockets)).toEqual([]);
    expect(sockets.length).toBeGreaterThan(6);
  });

  it("FR-6: so with server-sent events, and the last id resumes with the next event", () => {
    expect(missed(streams())).toEqual([]);
    expect(streams().length).toBeGreaterThan(6);
  });
});
