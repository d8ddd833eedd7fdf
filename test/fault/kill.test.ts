/** `npm run faults -- kill` and its control, short. */
import { describe, expect, it } from "vitest";
import { kill, killEarlyAck } from "../../scripts/lib/faults/kill.ts";
import { Workshop } from "../../scripts/lib/faults/workshop.ts";
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
  it.each([
    ["is not there", "src/config.ts", "no such text"],
    ["is there twice", "src/config.ts", "MINUTE_MS"],
    ["is in a file that is not bundled", "src/simulate/random.ts", "sfc32"],
  ])("FAULT-11: a text to change that %s fails the bundle", async (_, file, from) => {
    const workshop = new Workshop();
    await expect(workshop.bundle({ replacements: [{ file, from, to: "" }] })).rejects.toThrow(file);
    workshop.close();
  });
});
