import { describe, expect, it } from "vitest";
import { EVENT_KINDS, EVENT_TYPES, feedEvent } from "../../src/wire/event.ts";

describe("events", () => {
  it("EVT-4: a filter may name the contract's kinds and types", () => {
    expect(EVENT_KINDS.join(" ")).toBe(
      "surge slow_surge newcomer divergence impostor rare_here_hot rank_shift ua_rotation path_scan error_burst " +
        "cache_bust ip_spread bot_shift family_swarm flash_crowd outage blind double_source storm threshold",
    );
    expect(EVENT_TYPES.map((type) => type.replace("hellotide.", "")).join(" ")).toBe(
      "anomaly.raised anomaly.updated anomaly.cleared threshold.raised threshold.cleared site.raised site.cleared",
    );
    expect(EVENT_TYPES.every((type) => type.startsWith("hellotide."))).toBe(true);
  });

  it("EVT-4: an envelope is CloudEvents 1.0 around the data as they are", () => {
    const data = { kind: "surge", severity: "info", score: 3 } as const;
    const event = feedEvent("shop", "hellotide.anomaly.raised", "x", "01J", "2026-11-23T12:00:00.000Z", data);
    expect(event).toEqual({
      ...{ specversion: "1.0", id: "01J", source: "/sites/shop", type: "hellotide.anomaly.raised" },
      ...{ subject: "x", time: "2026-11-23T12:00:00.000Z", datacontenttype: "application/json" },
      data: { kind: "surge", severity: "info", score: 3 },
    });
    expect(event.data).toBe(data);
  });
});
