/** Work under a claimed key, and what its home is told of it. */
import { describe, expect, it } from "vitest";
import { settled } from "../../src/api/ingest.ts";

/** A home that notes what it is told, and fails where it is told so. */
function homeOf({ fails = false } = {}) {
  const told: (string | undefined)[] = [];
  const settle = async (_key: string, answer: string | undefined) => {
    told.push(answer);
    if (fails) throw new Error("the home is away");
  };
  return { told, settle };
}

describe("work under a claimed key", () => {
  it("UPL-1: the answer is kept, unless it is not to be", async () => {
    const home = homeOf();
    expect(await settled(home, "k", async () => ({ n: 1 }))).toEqual({ n: 1 });
    const none = await settled(
      home,
      "k",
      async () => ({ n: 0 }),
      ({ n }) => n > 0,
    );
    expect(none).toEqual({ n: 0 });
    expect(home.told).toEqual(['{"n":1}', undefined]);
  });

  it.each([false, true])("UPL-1: what fails frees the key and tells why (home away: %s)", async (fails) => {
    const home = homeOf({ fails });
    const work = settled(home, "k", async () => {
      throw new Error("disk full");
    });
    await expect(work).rejects.toThrow("disk full");
    expect(home.told).toEqual([undefined]);
  });

  it("UPL-1: an answer that its home cannot keep is none: the key is freed for the next try", async () => {
    const home = homeOf({ fails: true });
    await expect(settled(home, "k", async () => ({ n: 1 }))).rejects.toThrow("the home is away");
    expect(home.told).toEqual(['{"n":1}', undefined]);
  });
});
