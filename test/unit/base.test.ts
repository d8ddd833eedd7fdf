import { describe, expect, it } from "vitest";
import { ulid } from "../../src/base/random.ts";
import { backOffMs, retry } from "../../src/base/retry.ts";
import { parseDuration, parseRfc3339, rfc3339 } from "../../src/base/time.ts";

describe("times", () => {
  it.each([
    ["2026-11-23T10:00:00Z", "2026-11-23T10:00:00.000Z"],
    ["2026-11-23T10:00:00.5Z", "2026-11-23T10:00:00.500Z"],
    ["2026-11-23t10:00:00.123456789z", "2026-11-23T10:00:00.123Z"],
    ["2026-11-23T10:00:00+02:00", "2026-11-23T08:00:00.000Z"],
    ["2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000Z"],
  ])("CLOCK-1: %s is read", (text, expected) => {
    expect(rfc3339(parseRfc3339(text)!)).toBe(expected);
  });

  it.each([
    "2026-11-23",
    "2026-11-23T10:00:00",
    "2025-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "yesterday",
    "1763892000",
  ])("CLOCK-1: %s is not a time", (text) => {
    expect(parseRfc3339(text)).toBeUndefined();
  });

  it("CLOCK-2: durations have a unit", () => {
    expect(["0s", "90s", "5m", "1h", "7d"].map(parseDuration)).toEqual([
      0, 90_000, 300_000, 3_600_000, 604_800_000,
    ]);
    expect(["", "5", "m", "-1s", "1.5h", "5 m", "1w"].map(parseDuration)).toEqual(
      new Array(7).fill(undefined),
    );
  });
});

describe("ids", () => {
  it("ID-1: a ULID is 26 characters that sort by time", () => {
    const zeros = (bytes: Uint8Array) => bytes.fill(0);
    const [a, b] = [ulid(1_763_892_000_000, zeros), ulid(1_763_892_000_001, zeros)];
    expect(a).toMatch(/^[0-9A-HJKMNP-TV-Z]{26}$/);
    expect(a < b).toBe(true);
    // The specification's own example of the time part.
    expect(ulid(1_469_918_176_385, zeros).slice(0, 10)).toBe("01ARYZ6S41");
  });
});

describe("retry", () => {
  const deps = (waits: number[]) => ({
    tries: 3,
    wait: async (ms: number) => {
      waits.push(ms);
    },
    random: () => 0.5,
  });

  it("RETRY-1: repeats what throws, with growing pauses, and gives the last error up", async () => {
    const waits: number[] = [];
    let calls = 0;
    const failing = retry(async () => {
      throw new Error(`try ${++calls}`);
    }, deps(waits));
    await expect(failing).rejects.toThrow("try 3");
    expect(waits).toEqual([50, 100]);
  });

  it("RETRY-1: stops at the first success", async () => {
    let calls = 0;
    const result = await retry(async () => {
      if (++calls < 2) throw new Error("once");
      return calls;
    }, deps([]));
    expect(result).toBe(2);
  });

  it("RETRY-3: pauses double from the first one, are jittered upwards by a half, and never pass the longest", () => {
    const pauses = (random: number) => [1, 2, 3, 4, 5, 99].map((n) => backOffMs(n, 5_000, 60_000, random));
    expect(pauses(0)).toEqual([5_000, 10_000, 20_000, 40_000, 40_000, 40_000]);
    expect(pauses(0.5)).toEqual([6_250, 12_500, 25_000, 50_000, 50_000, 50_000]);
    expect(pauses(1)).toEqual([7_500, 15_000, 30_000, 60_000, 60_000, 60_000]);
  });

  it("RETRY-2: does not ask an overloaded object again", async () => {
    let calls = 0;
    const overloaded = retry(async () => {
      calls++;
      throw Object.assign(new Error("full"), { overloaded: true });
    }, deps([]));
    await expect(overloaded).rejects.toThrow("full");
    expect(calls).toBe(1);
  });
});
