/** What the shard makes is what the document says: every event against its schema. */
import { describe, expect, it } from "vitest";
import { anomalyData, anomalyType, fingerprintUrl } from "../../src/detect/event.ts";
import { evidenceOf } from "../../src/detect/evidence.ts";
import type { Episode, EpisodeEvent } from "../../src/detect/types.ts";
import { anomalyEvent, errorEvent, gapEvent, helloEvent, thresholdEvent } from "../../src/schemas/feed.ts";
import { thresholdData } from "../../src/thresholds/event.ts";
import type { ThresholdChange } from "../../src/thresholds/rule.ts";
import { EVENT_KINDS, EVENT_TYPES, feedEvent } from "../../src/wire/event.ts";

const CHROME = "t13d1516h2_8daaf6152771_02713d6af862";
const NOW = Date.parse("2026-11-23T12:00:00Z");
const TIME = "2026-11-23T12:00:00.000Z";
const evidence = evidenceOf([
  {
    ja4: CHROME,
    atMs: NOW,
    weight: 10,
    path: "/login",
    host: "a",
    method: "POST",
    status: 401,
    asn: 64_500,
    rayId: "r",
  },
  { ja4: CHROME, atMs: NOW, weight: 1, path: "/" },
]);
const url = fingerprintUrl("https://tide.example", "shop", CHROME);

const episode: Episode = {
  anomalyId: "01J",
  kind: "surge",
  ja4: CHROME,
  severity: "warning",
  startedAtMs: NOW,
  peak: 7.4,
  heldAtMs: NOW,
  seenAtMs: NOW,
  updatedAtMs: NOW,
  last: {
    p: 4e-8,
    score: 7.4,
    on: true,
    hold: true,
    window: "1m",
    observed: 340,
    expected: 12,
    low: 5,
    high: 21,
    unit: "requests/min",
    because: [{ signal: "reqs", local: 340, expected: 12, p: 4e-8 }],
    summary: "340 requests in a minute where 12 are usual",
  },
};

const sent = (type: string, data: Parameters<typeof feedEvent>[5]) => ({
  ...feedEvent("shop", type, CHROME, "01J", TIME, data),
  sequence: "0000000000000001",
});

describe("events", () => {
  it.each<EpisodeEvent>([
    { type: "raised", episode },
    { type: "updated", episode },
    { type: "cleared", episode, reason: "quiet" },
  ])("EVT-1: an anomaly that is $type is as documented", (event) => {
    const data = anomalyData(event, evidence, url, NOW);
    expect(anomalyEvent.parse(sent(anomalyType(event), data))).toEqual(sent(anomalyType(event), data));
    expect(EVENT_TYPES).toContain(anomalyType(event));
    expect(EVENT_KINDS).toContain(event.episode.kind);
  });

  it.each<Partial<ThresholdChange>>([
    { type: "raised" },
    { type: "cleared", reason: "deleted", observed: undefined },
    { type: "cleared", reason: "recovered", observed: 3 },
    { ja4: "site", told: { signal: "since_start.shed", op: ">", value: 5 }, silenced: true },
  ])("EVT-2: so is a threshold that is $type", (over) => {
    const change: ThresholdChange = {
      ...{ type: "raised", thresholdId: "login-flood", severity: "critical", ja4: CHROME, anomalyId: "01J" },
      silenced: false,
      ...{ startedAtMs: NOW, told: { signal: "reqs", window: "1m", op: ">", value: 5_000 }, observed: 6_000 },
      ...over,
    };
    const data = thresholdData(change, evidence, url, NOW);
    const type = `hellotide.threshold.${change.type}`;
    expect(thresholdEvent.parse(sent(type, data))).toEqual(sent(type, data));
    expect("score" in data || "p" in data).toBe(false);
    expect(data.summary).toContain("login-flood: ");
  });

  it("EVT-3: control frames have no sequence and no subject", () => {
    const { subject: _, ...envelope } = feedEvent("shop", "hellotide.feed.hello", "", "01J", TIME, {
      ...{ kind: "", severity: "info" },
    });
    const cursor = "0000000000000001";
    expect(
      helloEvent.safeParse({ ...envelope, data: { cursor, oldest: cursor, heartbeat_s: 30 } }).success,
    ).toBe(true);
    const gap = { ...envelope, type: "hellotide.feed.gap", data: { from: cursor, to: cursor } };
    expect([gapEvent.safeParse(gap).success, helloEvent.safeParse(gap).success]).toEqual([true, false]);
    const error = { ...envelope, type: "hellotide.feed.error", data: { detail: "not understood" } };
    expect(errorEvent.safeParse(error).success).toBe(true);
  });
});
