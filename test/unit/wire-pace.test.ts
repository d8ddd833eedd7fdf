import { describe, expect, it } from "vitest";
import { CallRate, finalAnswer, flushAfter, tookNothing } from "../../src/wire/ingest.ts";

const START = 1_763_892_000_000;

describe("a shard's pace", () => {
  it("PACE-1: up to 100 calls a second the edges do as they like, from there the wait grows with the calls", () => {
    expect([flushAfter(0, 60_000), flushAfter(100, 60_000)]).toEqual([0, 0]);
    expect(flushAfter(100.5, 60_000)).toBe(10_050);
    expect(flushAfter(200, 60_000)).toBe(20_000);
    expect(flushAfter(599.999, 60_000)).toBe(60_000);
    expect(flushAfter(900, 60_000)).toBe(60_000);
  });

  it("PACE-2: the rate is that of the last ten seconds and of a part of the ten before", () => {
    const rate = new CallRate();
    expect(rate.note(START)).toBeCloseTo(0.1);
    for (let i = 0; i < 98; i++) rate.note(START + 5_000);
    expect(rate.note(START + 9_999)).toBeCloseTo(10);
    // A hundred of the slot before: all of them at its start, half in its middle.
    expect(rate.note(START + 10_000)).toBeCloseTo(10.1);
    expect(rate.note(START + 15_000)).toBeCloseTo(5.2);
    // A slot without calls lies between.
    expect(rate.note(START + 30_000)).toBeCloseTo(0.1);
    expect(rate.note(START + 40_000)).toBeCloseTo(0.2);
  });

  it("PACE-3: an overload is thrown as one that passes, everything else is an answer", () => {
    const taken = { ok: true, accepted: 1, duplicate: 0, stale: 0, flushAfterMs: 0 } as const;
    expect(finalAnswer(taken)).toBe(taken);
    const refused = { ok: false, fault: "malformed" } as const;
    expect(finalAnswer(refused)).toBe(refused);
    expect(() => finalAnswer({ ok: false, fault: "overloaded" })).toThrow(
      expect.objectContaining({
        name: "OverloadedError",
        overloaded: true,
        message: "the shard is overloaded",
      }),
    );
  });

  it("PACE-6: only the shard's own word means that it took nothing: the platform's overload may come after the commit", () => {
    const thrown = (() => {
      try {
        return finalAnswer({ ok: false, fault: "overloaded" });
      } catch (error) {
        return error;
      }
    })();
    const platform = Object.assign(new Error("Durable Object is overloaded."), { overloaded: true });
    expect([tookNothing(thrown), tookNothing(platform), tookNothing(undefined)]).toEqual([
      true,
      false,
      false,
    ]);
  });
});
