/** `npm run faults -- versions`, short. */
import { expect, it } from "vitest";
import { versions } from "../../scripts/lib/faults/versions.ts";
import { figuresOf, missed } from "../support/faults.ts";

it("FAULT-6: old, new, old, new code on one disk read each other's data; a newer disk is not opened", async (test) => {
  const figures = await figuresOf(versions, test);
  expect(missed(figures)).toEqual([]);
  expect(figures.length).toBeGreaterThan(7);
});
