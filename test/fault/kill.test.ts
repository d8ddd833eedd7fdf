/** `npm run faults -- kill` and its control, short. */
import { describe, expect, it } from "vitest";
import { kill, killEarlyAck } from "../../scripts/lib/faults/kill.ts";
import { figuresOf, measuredOf, missed } from "../support/faults.ts";

describe("kill -9 under load", () => {
  it("FAULT-1: nothing acknowledged is lost and nothing counts twice, with redelivery", async (test) => {
    const figures = await figuresOf(kill, test);
    expect(missed(figures)).toEqual([]);
    expect(figures.length).toBeGreaterThan(5);
  });

  it("FAULT-2: the same run finds out a shard that acknowledges before it writes", async (test) => {
    const figures = await figuresOf(killEarlyAck, test);
    expect(measuredOf(figures, "acknowledged batches lost")).toBeGreaterThan(0);
  });
});
