/** `npm run faults -- eviction` and `hour`, short: memory that is gone comes back from the disk. */
import { describe, expect, it } from "vitest";
import { evictions } from "../../scripts/lib/faults/evictions.ts";
import { hour } from "../../scripts/lib/faults/hour.ts";
import { figuresOf, missed } from "../support/faults.ts";

describe("memory that is lost", () => {
  it("FAULT-3: a shard that is evicted after every batch answers as its twin that never was", async (test) => {
    const figures = await figuresOf(evictions, test);
    expect(missed(figures)).toEqual([]);
    expect(figures.length).toBeGreaterThan(4);
  });

  it("FAULT-5: a kill with a long log to read back loses nothing", async (test) => {
    const figures = await figuresOf(hour, test);
    expect(missed(figures)).toEqual([]);
    expect(figures.length).toBeGreaterThan(3);
  });
});
