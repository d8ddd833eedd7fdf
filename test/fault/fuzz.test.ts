/** `npm run faults -- fuzz`, short, and its control. */
import { describe, expect, it } from "vitest";
import { fuzz, fuzzPlanted } from "../../scripts/lib/faults/fuzz.ts";
import { figuresOf, measuredOf, missed } from "../support/faults.ts";

describe("malformed payloads", () => {
  it("FUZZ-1: none is answered with a 5xx, none breaks the engine", async (test) => {
    const figures = await figuresOf(fuzz, test);
    expect(missed(figures)).toEqual([]);
    expect(figures.length).toBeGreaterThan(6);
  }, 180_000);

  it("FUZZ-2: a planted 500 is found", async (test) => {
    const figures = await figuresOf(fuzzPlanted, test);
    expect(measuredOf(figures, "answers of 5xx and broken connections")).toBeGreaterThan(0);
  }, 180_000);
});
