/** `npm run faults -- disk`, short. */
import { expect, it } from "vitest";
import { disk } from "../../scripts/lib/faults/disk.ts";
import { figuresOf, missed } from "../support/faults.ts";

it("FAULT-4: a full disk refuses, keeps what it acknowledged, and goes on without a restart", async (test) => {
  const figures = await figuresOf(disk, test);
  expect(missed(figures)).toEqual([]);
  expect(figures.length).toBeGreaterThan(5);
});
