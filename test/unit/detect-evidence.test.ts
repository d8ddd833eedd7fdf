/** Evidence shares, and the data of an anomaly's events as the contract spells it. */
import { describe, expect, it } from "vitest";
import { anomalyData, anomalyType, fingerprintUrl, withEvidence } from "../../src/detect/event.ts";
import { evidenceOf } from "../../src/detect/evidence.ts";
import type { Episode, Evidence, Sample } from "../../src/detect/types.ts";

const sample = (over: Partial<Sample>): Sample => ({ ja4: "f", atMs: 0, weight: 1, ...over });
const NONE: Evidence = { paths: [], hosts: [], asns: [], statuses: [], methods: [], ray_ids: [] };

describe("evidenceOf", () => {
  it("EVI-1: gives the top three with shares of the weight in which the field is known", () => {
    const evidence = evidenceOf([
      sample({ weight: 6, path: "/login", status: 401, asn: 64500 }),
      sample({ weight: 2, path: "/a", status: 200 }),
      sample({ weight: 1, path: "/b", method: "GET" }),
      sample({ weight: 1, path: "/c" }),
      sample({ weight: 90 }),
    ]);
    expect(evidence.paths).toEqual([
      ["/login", 0.6],
      ["/a", 0.2],
      ["/b", 0.1],
    ]);
    expect(evidence.statuses).toEqual([
      [401, 0.75],
      [200, 0.25],
    ]);
    expect(evidence.asns).toEqual([[64500, 1]]);
    expect(evidence.methods).toEqual([["GET", 1]]);
    expect(evidence.hosts).toEqual([]);
  });

  it("EVI-1: rounds shares to four decimals and leaves out what stands for nothing", () => {
    const thirds = ["/a", "/b", "/c"].map((path) => sample({ path }));
    expect(evidenceOf(thirds).paths.map(([, share]) => share)).toEqual([0.3333, 0.3333, 0.3333]);
    expect(
      evidenceOf([sample({ path: "/x", weight: 0 }), sample({ path: "/y", weight: Number.NaN })]),
    ).toEqual(NONE);
    expect(evidenceOf([])).toEqual(NONE);
  });

  it("EVI-2: lists up to five distinct ray ids, newest first", () => {
    const rays = [3, 1, 7, 5, 5, 6, 2].map((n) => sample({ rayId: `r${n}`, atMs: n }));
    expect(evidenceOf(rays).ray_ids).toEqual(["r7", "r6", "r5", "r3", "r2"]);
  });

  it("EVI-3: gives the same evidence whatever the order of samples", () => {
    const samples = ["/b", "/a", "/d", "/c"].map((path, i) => sample({ path, rayId: `r${i}` }));
    expect(evidenceOf([...samples].reverse())).toEqual(evidenceOf(samples));
    expect(evidenceOf(samples).paths.map(([path]) => path)).toEqual(["/a", "/b", "/c"]);
  });
});

const T = Date.UTC(2026, 10, 23, 12);
const episode: Episode = {
  anomalyId: "01J",
  kind: "surge",
  ja4: "t13d1516h2_8daaf6152771_02713d6af862",
  severity: "warning",
  startedAtMs: T,
  peak: 9,
  heldAtMs: T,
  seenAtMs: T,
  updatedAtMs: T,
  last: {
    p: 4.1234e-8,
    score: 7.38476,
    on: true,
    hold: true,
    window: "1m",
    observed: 340,
    expected: 12.3456,
    low: 5,
    high: 21,
    unit: "requests/min",
    because: [{ signal: "reqs", local: 340, expected: 12.3456, p: 4.1234e-8 }],
    summary: "340 requests in a minute where 12 are usual",
  },
};
const evidence: Evidence = {
  ...NONE,
  paths: [["/login", 0.91]],
  asns: [[64500, 0.4]],
  methods: [["POST", 0.9]],
  ray_ids: ["r1"],
};

describe("anomalyData", () => {
  it("EVI-4: is the contract's document, rounded", () => {
    const url = fingerprintUrl("https://h.example", "shop", episode.ja4);
    expect(anomalyData({ type: "raised", episode }, evidence, url, T)).toEqual({
      anomaly_id: "01J",
      kind: "surge",
      ja4: episode.ja4,
      severity: "warning",
      score: 7.38,
      p: 4.1e-8,
      window: "1m",
      observed: 340,
      expected: 12.3,
      low: 5,
      high: 21,
      unit: "requests/min",
      started_at: "2026-11-23T12:00:00.000Z",
      silenced: false,
      grouped: false,
      because: [{ signal: "reqs", local: 340, expected: 12.3, p: 4.1e-8 }],
      evidence,
      url: `https://h.example/#/sites/shop/fingerprints/${episode.ja4}`,
      summary: "340 requests in a minute where 12 are usual, mostly POST /login from AS64500",
    });
  });

  it("EVI-5: a cleared event says why and when, and only that one does", () => {
    const cleared = { type: "cleared", episode, reason: "quiet" } as const;
    expect(anomalyData(cleared, NONE, "u", T + 1)).toMatchObject({
      reason: "quiet",
      ended_at: "2026-11-23T12:00:00.001Z",
    });
    expect(anomalyData({ type: "updated", episode }, NONE, "u", T)).not.toHaveProperty("reason");
    expect(anomalyType(cleared)).toBe("hellotide.anomaly.cleared");
  });

  it("EVI-6: holds no null, no NaN and no infinity, whatever the verdict holds", () => {
    const broken = {
      ...episode.last,
      p: 0,
      score: Number.POSITIVE_INFINITY,
      high: Number.POSITIVE_INFINITY,
      low: Number.NaN,
    };
    const text = JSON.stringify(
      anomalyData({ type: "raised", episode: { ...episode, last: broken } }, NONE, "u", T),
    );
    expect(text).not.toContain("null");
    expect(JSON.parse(text)).toMatchObject({ score: 30, p: 1e-30 });
  });

  it("EVI-7: the summary names only what most requests share", () => {
    expect(withEvidence("x", NONE)).toBe("x");
    expect(withEvidence("x", { ...NONE, paths: [["/a", 0.49]], methods: [["GET", 0.8]] })).toBe(
      "x, mostly GET",
    );
    expect(withEvidence("x", { ...NONE, asns: [[1, 0.39]] })).toBe("x");
    expect(withEvidence("x", { ...NONE, asns: [[1, 0.4]] })).toBe("x, mostly from AS1");
  });
});
