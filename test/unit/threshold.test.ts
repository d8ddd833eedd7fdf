import { describe, expect, it } from "vitest";
import { validate } from "../../src/api/validate.ts";
import { Problem } from "../../src/base/problem.ts";
import { compileThreshold, thresholdInput } from "../../src/schemas/threshold.ts";
import { type Observed, step, type Threshold, type ThresholdState } from "../../src/thresholds/rule.ts";

const CHROME = "t13d1516h2_8daaf6152771_02713d6af862";
const NOW = Date.parse("2026-11-23T12:00:00Z");
const TIMES = { created_at: "2026-11-23T12:00:00.000Z", updated_at: "2026-11-23T12:00:00.000Z" };

function rule(over: Record<string, unknown> = {}): Threshold {
  const when = { signal: "reqs", window: "1m", op: ">", value: 100 };
  const input = validate(thresholdInput, { id: "flood", when, on_missing: "skip", ...over });
  return compileThreshold({ ...input, id: "flood", ...TIMES });
}

/** Steps through values, one every 5 s, and tells what happened when. */
function play(threshold: Threshold, values: (number | undefined)[], reqs = 1_000): string[] {
  let state: ThresholdState | undefined;
  let ids = 0;
  return values.map((value, i) => {
    const observed: Observed[] = threshold.when.comparisons.map(() => ({
      value,
      reqs: value === 0 ? 0 : reqs,
    }));
    const result = step(threshold, CHROME, state, observed, NOW + i * 5_000, () => `id-${++ids}`);
    state = result.state;
    if (result.suppressed) return "suppressed";
    const told = result.changes.map(({ type, reason }) => [type, reason].filter(Boolean).join(" "));
    return told.length === 0 ? "-" : told.join(", ");
  });
}

describe("one threshold, one fingerprint", () => {
  it("RULE-1: raises once when crossed, clears once after its condition was false for the clear time", () => {
    const threshold = rule({ clear: { for: "10s" }, cooldown: "0s" });
    expect(play(threshold, [100, 101, 500, 100, 101, 100, 100, 100, 100])).toEqual([
      ...["-", "raised", "-", "-", "-", "-", "-", "cleared recovered", "-"],
    ]);
  });

  it("RULE-2: `for` waits, and a gap starts it again", () => {
    const threshold = rule({ for: "10s" });
    expect(play(threshold, [200, 200, 50, 200, 200, 200])).toEqual(["-", "-", "-", "-", "-", "raised"]);
  });

  it("RULE-2: `for` rounds up to the tick", () => {
    expect(play(rule({ for: "7s" }), [200, 200, 200])).toEqual(["-", "-", "raised"]);
  });

  it("RULE-3: a clear value is an off level: between the two a raised threshold stays raised", () => {
    const threshold = rule({ clear: { value: 50, for: "0s" }, cooldown: "0s" });
    expect(play(threshold, [200, 80, 51, 50, 80])).toEqual(["raised", "-", "-", "cleared recovered", "-"]);
  });

  it("RULE-4: what returns within its cooldown raises nothing and counts once; what outlasts it is raised", () => {
    const threshold = rule({ clear: { for: "0s" }, cooldown: "20s" });
    expect(play(threshold, [200, 0, 200, 200, 0, 200, 200])).toEqual([
      ...["raised", "cleared quiet", "suppressed", "-", "-", "raised", "-"],
    ]);
  });

  it("RULE-5: a number that is absent is skipped or fires, as on_missing says", () => {
    expect(play(rule(), [undefined])).toEqual(["-"]);
    expect(play(rule({ on_missing: "fire" }), [undefined])).toEqual(["raised"]);
  });

  it("RULE-6: min_reqs counts in the same window", () => {
    const when = { signal: "error_ratio", window: "1m", op: ">=", value: 0.5 };
    expect(play(rule({ when, min_reqs: 50 }), [0.9], 49)).toEqual(["-"]);
    expect(play(rule({ when, min_reqs: 50 }), [0.9], 50)).toEqual(["raised"]);
  });

  it.each([
    [">", [99, 100, 101], [false, false, true]],
    [">=", [99, 100, 101], [false, true, true]],
    ["<", [99, 100, 101], [true, false, false]],
    ["<=", [99, 100, 101], [true, true, false]],
  ])("RULE-7: %s compares as it reads", (op, values, raised) => {
    const threshold = rule({ when: { signal: "reqs", window: "1m", op, value: 100 } });
    expect(values.map((value) => play(threshold, [value])[0] === "raised")).toEqual(raised);
  });

  it("RULE-8: all needs every comparison, any needs one and tells which", () => {
    const comparisons = [
      { signal: "reqs", window: "1m", op: ">", value: 100 },
      { signal: "ips", window: "1m", op: "<", value: 5 },
    ];
    const seen = (reqs: number, ips: number): Observed[] => [
      { value: reqs, reqs },
      { value: ips, reqs },
    ];
    const raise = (mode: string, observed: Observed[]) =>
      step(rule({ when: { [mode]: comparisons } }), CHROME, undefined, observed, NOW, () => "id").changes[0];
    expect(raise("all", seen(200, 9))).toBeUndefined();
    expect(raise("all", seen(200, 2))).toMatchObject({ told: { signal: "reqs" }, observed: 200 });
    expect(raise("any", seen(50, 2))).toMatchObject({ told: { signal: "ips" }, observed: 2 });
    expect(raise("any", seen(50, 9))).toBeUndefined();
  });
});

describe("what users write", () => {
  const base = { when: { signal: "reqs", window: "1m", op: ">", value: 1 }, on_missing: "skip" };
  const faults = (body: unknown): string[] => {
    try {
      validate(thresholdInput, body);
    } catch (error) {
      if (error instanceof Problem) return (error.more.errors ?? []).map(({ pointer }) => pointer);
      throw error;
    }
    return [];
  };

  it("SCH-1: defaults are filled in, null is absent", () => {
    const input = validate(thresholdInput, {
      ...base,
      note: null,
      clear: { value: null, for: null },
      ja4: null,
    });
    expect(input).toEqual({
      ...base,
      ...{ enabled: true, severity: "warning", for: "0s", cooldown: "10m", min_reqs: 0, clear: {} },
    });
  });

  it.each([
    [{ ...base, colour: "red" }, ["/colour"]],
    [{ ...base, on_missing: undefined }, ["/on_missing"]],
    [{ ...base, when: { ...base.when, signal: "moon" } }, ["/when/signal"]],
    [{ ...base, when: { ...base.when, window: "2m" } }, ["/when/window"]],
    [{ ...base, when: { all: [{ ...base.when, op: "=" }] } }, ["/when/all/0/op"]],
    [{ ...base, when: { any: [] } }, ["/when/any"]],
    [{ ...base, when: { any: new Array(9).fill(base.when) } }, ["/when/any"]],
    [{ ...base, clear: { value: 2 } }, ["/clear/value"]],
    [{ ...base, when: { all: [base.when] }, clear: { value: 0 } }, ["/clear/value"]],
    [{ ...base, for: "soon", cooldown: 5 }, ["/for", "/cooldown"]],
    [{ ...base, ja4: "t13d?" }, ["/ja4"]],
    [{ ...base, ja4: ["t13d*", "?"] }, ["/ja4/1"]],
    [{ ...base, id: "Upper" }, ["/id"]],
    [{ ...base, "a/b~c": 1 }, ["/a~1b~0c"]],
    ["text", [""]],
  ])("SCH-2: every fault of %j is pointed at", (body, pointers) => {
    expect(faults(body)).toEqual(pointers);
  });
});
