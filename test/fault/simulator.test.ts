/** The product on the simulated platform: few worlds here, thousands by `npm run simulate`. */
import { describe, expect, it } from "vitest";
import { BUGS } from "../simulator/bugs.ts";
import { bundle, load } from "../simulator/bundle.ts";
import { runSeed } from "../simulator/run.ts";

const SEEDS = 40;
/** Seeds that found something once, if only a verdict that came too early. */
const FOUND: readonly number[] = [170, 1379, 4005];

const bundles = await bundle();

describe("simulated worlds", () => {
  it("WORLD-1: whatever fails, every acknowledged observation counts once and every event comes once", async () => {
    const loaded = load(bundles);
    const faults: string[] = [];
    for (const seed of [...FOUND, ...Array.from({ length: SEEDS }, (_, i) => i + 1)]) {
      const outcome = await runSeed(seed, loaded);
      faults.push(...outcome.faults.map((fault) => `seed ${seed}: ${fault}`));
      expect(outcome.observations).toBeGreaterThan(0);
    }
    expect(faults).toEqual([]);
  });

  it("WORLD-2: a seed repeats bit for bit, whatever ran before it", async () => {
    const loaded = load(bundles);
    const first = await runSeed(3, loaded);
    await runSeed(8, loaded);
    expect(await runSeed(3, loaded)).toEqual(first);
    expect(await runSeed(3, load(bundles))).toEqual(first);
    expect((await runSeed(4, loaded)).hash).not.toBe(first.hash);
  });

  it("WORLD-3: planted bugs are found", async () => {
    for (const { name, changes } of BUGS.slice(0, 2)) {
      const loaded = load(await bundle(changes));
      let found = false;
      for (let seed = 1; seed <= 100 && !found; seed++)
        found = (await runSeed(seed, loaded)).faults.length > 0;
      expect(found, name).toBe(true);
    }
  });

  it("WORLD-4: a planted bug that does not fit the code is an error", async () => {
    const change = { file: "src/ingest/group-commit.ts", find: "no such text", replace: "" };
    await expect(bundle([change])).rejects.toThrow("not exactly one place");
  });
});
