/** `npm run faults -- feed` and `laggard`, short. */
import { describe, expect, it } from "vitest";
import { feed } from "../../scripts/lib/faults/feed.ts";
import { laggard } from "../../scripts/lib/faults/laggard.ts";
import { figuresOf, missed } from "../support/faults.ts";

describe("clients of the feed", () => {
  it("FAULT-7, FR-5: who reconnects by cursor or Last-Event-ID, over evictions and kills, has every event once and in order", async (test) => {
    const figures = await figuresOf(feed, test);
    expect(missed(figures)).toEqual([]);
    expect(figures.length).toBeGreaterThan(9);
  });

  it("FAULT-8, FR-6: who never reads, frames or server-sent events, costs the engine no memory, is cut, and lets nobody wait", async (test) => {
    const figures = await figuresOf(laggard, test);
    expect(missed(figures)).toEqual([]);
    expect(figures.length).toBeGreaterThan(15);
  }, 180_000);
});
