/** `npm run faults -- parts` and `overload`, short. */
import { describe, expect, it } from "vitest";
import { overload } from "../../scripts/lib/faults/overload.ts";
import { parts } from "../../scripts/lib/faults/parts.ts";
import { figuresOf, missed } from "../support/faults.ts";

describe("a part that is down or too slow", () => {
  it("FAULT-9: visitors do not notice, what works goes on, and afterwards everything is whole", async (test) => {
    const figures = await figuresOf(parts, test);
    expect(missed(figures)).toEqual([]);
    expect(figures.length).toBeGreaterThan(15);
  }, 180_000);

  it("FAULT-10: an overloaded shard refuses aloud, and what counts is what the answers say", async (test) => {
    const figures = await figuresOf(overload, test);
    expect(missed(figures)).toEqual([]);
    expect(figures.length).toBeGreaterThan(8);
  }, 120_000);
});
