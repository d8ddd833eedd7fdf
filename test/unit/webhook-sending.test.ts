/** How a webhook is signed, worded and tried again. */
import fc from "fast-check";
import { Webhook } from "standardwebhooks";
import { describe, expect, it } from "vitest";
import { HOUR_MS, MINUTE_MS } from "../../src/config.ts";
import { bodyOf, type ToldEvent } from "../../src/webhooks/format.ts";
import { GIVE_UP_AFTER_MS, nextTry, parseRetryAfter, verdictOf } from "../../src/webhooks/schedule.ts";
import { makeSecret, signedHeaders } from "../../src/webhooks/signature.ts";

const NOW_MS = Date.UTC(2026, 10, 23, 12);
const secretOf = (seed: number) => makeSecret((bytes) => bytes.map((_, i) => (seed * 31 + i * 7) & 255));

const EVENT: ToldEvent = {
  specversion: "1.0",
  id: "01JD0000000000000000000000",
  source: "/sites/shop",
  type: "hellotide.anomaly.raised",
  subject: "t13d1516h2_8daaf6152771_02713d6af862",
  time: "2026-11-23T12:00:00.000Z",
  datacontenttype: "application/json",
  data: {
    anomaly_id: "01JA",
    kind: "surge",
    severity: "warning",
    score: 7.4,
    url: "https://tide.example.com/#/sites/shop/fingerprints/t13d",
    summary: "340 requests in a minute where 12 are usual, mostly GET /<!channel>&x",
  },
};
const parsed = (format: "slack" | "pagerduty", event = EVENT, key?: string) =>
  JSON.parse(bodyOf(format, event, key).text) as Record<string, unknown> & {
    attachments: { color: string }[];
  };

describe("signatures", () => {
  it("HOOK-4: every message verifies by the standard's own package, with each of two secrets", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary" }), fc.nat(1_000), async (body, seed) => {
        const secrets = [secretOf(seed), secretOf(seed + 1)];
        const timestampS = Math.floor(Date.now() / 1_000);
        const headers = await signedHeaders(
          { id: `msg_${seed}`, timestampS, body: JSON.stringify({ body }) },
          secrets,
        );
        for (const secret of secrets) {
          expect(new Webhook(secret).verify(JSON.stringify({ body }), headers)).toEqual({ body });
        }
        // The controls: another secret, another body.
        expect(() => new Webhook(secretOf(seed + 2)).verify(JSON.stringify({ body }), headers)).toThrow();
        expect(() =>
          new Webhook(secrets[0]!).verify(JSON.stringify({ body: `${body}.` }), headers),
        ).toThrow();
      }),
      { numRuns: 50 },
    );
  });

  it("HOOK-4: a secret is whsec_ and 32 bytes", () => {
    expect(secretOf(1)).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  });
});

describe("formats", () => {
  it("HOOK-5: cloudevents is the event as the feed has it", () => {
    const { contentType, text } = bodyOf("cloudevents", EVENT, undefined);
    expect(contentType).toBe("application/cloudevents+json; charset=utf-8");
    expect(JSON.parse(text)).toEqual(EVENT);
  });

  it("HOOK-6: slack is one message whose text cannot call anybody", () => {
    const message = parsed("slack");
    expect(message.text).toBe(
      "warning surge raised on shop: t13d1516h2_8daaf6152771_02713d6af862 – 340 requests in a minute where 12 are usual, mostly GET /&lt;!channel&gt;&amp;x",
    );
    expect(JSON.stringify(message)).not.toContain("<!channel>");
    const cleared = parsed("slack", { ...EVENT, type: "hellotide.anomaly.cleared" });
    expect(cleared.attachments[0]?.color).not.toBe(message.attachments[0]?.color);
  });

  it("HOOK-6: a link only where there is a whole one", () => {
    const relative = { ...EVENT, data: { ...EVENT.data, url: "/#/sites/shop" } };
    expect(JSON.stringify(parsed("slack"))).toContain("<https://tide.example.com/");
    expect(JSON.stringify(parsed("slack", relative))).not.toContain("/#/sites");
    expect(parsed("pagerduty", relative, "k")).not.toHaveProperty("links");
  });

  it("HOOK-7: pagerduty triggers and resolves one incident an episode", () => {
    const raised = parsed("pagerduty", EVENT, "key");
    expect(raised).toMatchObject({
      routing_key: "key",
      event_action: "trigger",
      dedup_key: "shop/01JA",
      payload: { severity: "warning", source: "shop", class: "surge", timestamp: EVENT.time },
    });
    const cleared = parsed("pagerduty", { ...EVENT, type: "hellotide.anomaly.cleared", id: "other" }, "key");
    expect(cleared).toMatchObject({ event_action: "resolve", dedup_key: "shop/01JA" });
    const long = parsed(
      "pagerduty",
      { ...EVENT, data: { ...EVENT.data, summary: "x".repeat(5_000) } },
      "key",
    );
    expect((long.payload as { summary: string }).summary).toHaveLength(1_024);
  });
});

describe("tries", () => {
  it("HOOK-8: what an answer means", () => {
    const table: [number | undefined, string][] = [
      ...([
        [200, "delivered"],
        [204, "delivered"],
        [299, "delivered"],
      ] as [number, string][]),
      ...([
        [301, "failed"],
        [302, "failed"],
        [400, "failed"],
        [401, "failed"],
        [404, "failed"],
      ] as [number, string][]),
      ...([
        [410, "gone"],
        [429, "failed"],
        [500, "failed"],
        [503, "failed"],
      ] as [number, string][]),
      [undefined, "failed"],
    ];
    for (const [status, verdict] of table) expect(verdictOf(status), String(status)).toBe(verdict);
  });

  it("HOOK-9: pauses grow to ten minutes, and end after 24 h", () => {
    for (const random of [0, 0.5, 0.999]) {
      let nowMs = NOW_MS;
      const pauses: number[] = [];
      for (let tries = 1; ; tries++) {
        const atMs = nextTry({ tries, sinceMs: NOW_MS, nowMs, retryAfterMs: undefined, random });
        if (atMs === undefined) break;
        pauses.push(atMs - nowMs);
        nowMs = atMs;
      }
      expect(pauses[0]).toBeGreaterThanOrEqual(5_000);
      expect(pauses[0]).toBeLessThan(7_500);
      expect(Math.max(...pauses)).toBeLessThanOrEqual(10 * MINUTE_MS);
      // It is tried to the end of the day, and not beyond it.
      expect(nowMs - NOW_MS).toBeGreaterThan(GIVE_UP_AFTER_MS - 10 * MINUTE_MS);
      expect(nowMs - NOW_MS).toBeLessThanOrEqual(GIVE_UP_AFTER_MS);
    }
  });

  it("HOOK-10: Retry-After is honoured, up to an hour, and never shortens a pause", () => {
    const at = (retryAfterMs: number) =>
      nextTry({ tries: 1, sinceMs: NOW_MS, nowMs: NOW_MS, retryAfterMs, random: 0 })! - NOW_MS;
    expect([at(0), at(1_000), at(120_000), at(24 * HOUR_MS)]).toEqual([5_000, 5_000, 120_000, HOUR_MS]);
  });

  it("HOOK-10: Retry-After is seconds or an HTTP date", () => {
    const table: [string | null, number | undefined][] = [
      ...([
        ["0", 0],
        ["120", 120_000],
        [" 7 ", 7_000],
      ] as [string, number][]),
      ["Mon, 23 Nov 2026 12:01:00 GMT", 60_000],
      ["Mon, 23 Nov 2026 11:00:00 GMT", 0],
      ["Monday, 23-Nov-26 12:00:05 GMT", 5_000],
      ["Mon Nov 23 12:00:05 2026 GMT", 5_000],
      ...([
        [null, undefined],
        ["", undefined],
        ["-1", undefined],
        ["soon", undefined],
        ["1.5", undefined],
      ] as [string | null, undefined][]),
      ["2026-11-23", undefined],
    ];
    for (const [header, ms] of table) expect(parseRetryAfter(header, NOW_MS), String(header)).toBe(ms);
  });
});
