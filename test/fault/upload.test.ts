/** `npm run faults -- upload` and its control, short. */
import { describe, expect, it } from "vitest";
import { upload, uploadRecount } from "../../scripts/lib/faults/upload.ts";
import { figuresOf, measuredOf, missed } from "../support/faults.ts";

describe("kill -9 in the middle of large uploads", () => {
  it("PRF-10: sent again until it is answered, every record of an upload counts once", async (test) => {
    const figures = await figuresOf(upload, test);
    expect(missed(figures)).toEqual([]);
    expect(measuredOf(figures, "kills")).toBeGreaterThanOrEqual(3);
  }, 120_000);

  it("PRF-11: the same run finds out a shard that counts what comes again", async (test) => {
    const figures = await figuresOf(uploadRecount, test);
    expect(measuredOf(figures, "records counted twice")).toBeGreaterThan(0);
  }, 120_000);
});
