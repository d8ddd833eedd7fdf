/** Events and frames of the feed (contract §6): CloudEvents 1.0, https://github.com/cloudevents/spec. */

import * as z from "zod/mini";
import { SITE_KINDS } from "../detect/site/events.ts";
import { KINDS } from "../detect/types.ts";
import { components, count, cursor, ja4, ratio, time, windowName } from "./common.ts";

const share = <T extends z.ZodMiniType>(value: T) => z.array(z.tuple([value, ratio])).check(z.maxLength(3));
const severity = z.enum(["info", "warning", "critical"]);
const reason = z.enum(["recovered", "quiet", "silenced", "disabled", "deleted", "new_normal"]);

const evidence = z
  .object({
    paths: share(z.string()),
    hosts: share(z.string()),
    asns: share(z.int()),
    statuses: share(z.int()),
    methods: share(z.string()),
    ray_ids: z.array(z.string()).check(z.maxLength(5)),
  })
  .register(components, {
    id: "Evidence",
    description: "What the requests look like: top three of each, with shares.",
  });

const anomalyData = z
  .object({
    anomaly_id: z.string(),
    kind: z.enum(KINDS),
    ja4,
    severity,
    score: z.number().check(z.gte(0), z.lte(30)),
    p: z.number().check(z.gt(0), z.lte(1)),
    window: windowName,
    observed: z.number(),
    expected: z.number(),
    low: z.number(),
    high: z.number(),
    unit: z.string(),
    started_at: time,
    ended_at: z.optional(time),
    reason: z.optional(reason),
    silenced: z.boolean(),
    grouped: z.boolean(),
    because: z.array(
      z.object({
        signal: z.string(),
        local: z.number(),
        expected: z.number(),
        global: z.optional(z.number()),
        p: z.number(),
      }),
    ),
    evidence,
    url: z.string(),
    summary: z.string(),
  })
  .register(components, {
    id: "Anomaly",
    description: "An anomalous fingerprint; `low`–`high` is the usual range (95 %).",
  });

const thresholdData = z
  .object({
    anomaly_id: z.string(),
    kind: z.literal("threshold"),
    threshold: z.string(),
    ja4: z.optional(ja4),
    severity,
    signal: z.string(),
    window: z.optional(windowName),
    observed: z.optional(z.number()),
    value: z.number(),
    started_at: time,
    ended_at: z.optional(time),
    reason: z.optional(reason),
    silenced: z.boolean(),
    grouped: z.boolean(),
    evidence,
    url: z.string(),
    summary: z.string(),
  })
  .register(components, {
    id: "ThresholdAlert",
    description:
      "A user's threshold that was crossed, or is no more; without `ja4` it is one of the whole site.",
  });

const stormData = z
  .object({
    anomaly_id: z.string(),
    kind: z.literal("storm"),
    severity,
    started_at: time,
    ended_at: z.optional(time),
    reason: z.optional(reason),
    silenced: z.boolean(),
    grouped: z.boolean(),
    raises: count,
    strongest: z
      .array(
        z.object({
          anomaly_id: z.string(),
          kind: z.string(),
          severity,
          ja4: z.optional(ja4),
          score: z.optional(z.number()),
          threshold: z.optional(z.string()),
        }),
      )
      .check(z.maxLength(10)),
    url: z.string(),
    summary: z.string(),
  })
  .register(components, {
    id: "Storm",
    description:
      "More is raised at once than is delivered one by one: `raises` counts the further ones, which are kept with `grouped: true` and not delivered; `strongest` lists up to ten of them. The raise has what was grouped when it was sent; the clear has all.",
  });

const siteData = z
  .object({
    anomaly_id: z.string(),
    kind: z.enum(SITE_KINDS),
    severity,
    started_at: time,
    ended_at: z.optional(time),
    reason: z.optional(reason),
    silenced: z.boolean(),
    grouped: z.boolean(),
    window: windowName,
    observed: z.number(),
    expected: z.number(),
    unit: z.string(),
    url: z.string(),
    summary: z.string(),
  })
  .register(components, {
    id: "SiteAnomaly",
    description:
      "Something happens to the site as a whole: `flash_crowd` (everybody comes), `outage` (everybody gets errors), `blind` (observations stop, or come without their JA4), `double_source` (two sources see the same requests).",
  });

const envelope = {
  specversion: z.literal("1.0"),
  id: z.string(),
  source: z.string(),
  time,
  datacontenttype: z.literal("application/json"),
};
const stored = { ...envelope, subject: z.string(), sequence: z.string().check(z.regex(/^\d{16}$/)) };

export const anomalyEvent = z
  .object({
    ...stored,
    type: z.enum(["hellotide.anomaly.raised", "hellotide.anomaly.updated", "hellotide.anomaly.cleared"]),
    data: anomalyData,
  })
  .register(components, { id: "AnomalyEvent", description: "One step of an episode." });

export const thresholdEvent = z
  .object({
    ...stored,
    type: z.enum(["hellotide.threshold.raised", "hellotide.threshold.cleared"]),
    data: thresholdData,
  })
  .register(components, { id: "ThresholdEvent", description: "One step of a threshold." });

export const siteEvent = z
  .object({
    ...stored,
    subject: z.literal("site"),
    type: z.enum(["hellotide.site.raised", "hellotide.site.cleared"]),
    data: z.union([siteData, stormData]),
  })
  .register(components, { id: "SiteEvent", description: "What is about the whole site, and is told once." });

export const webhookTestEvent = z
  .object({
    ...envelope,
    subject: z.literal("site"),
    type: z.literal("hellotide.webhook.test"),
    data: z.object({
      kind: z.literal("test"),
      severity: z.literal("info"),
      started_at: time,
      summary: z.string(),
    }),
  })
  .register(components, {
    id: "WebhookTestEvent",
    description: "About nothing: sent when somebody tries a webhook. It is not kept and has no `sequence`.",
  });

export const helloEvent = z
  .object({
    ...envelope,
    type: z.literal("hellotide.feed.hello"),
    data: z.object({ cursor, oldest: cursor, heartbeat_s: z.int() }),
  })
  .register(components, { id: "HelloEvent", description: "The first frame of every connection." });

export const checkpointEvent = z
  .object({ ...envelope, type: z.literal("hellotide.feed.checkpoint"), data: z.object({ cursor }) })
  .register(components, {
    id: "CheckpointEvent",
    description: "Events up to the cursor went by that the filter hides; at most every 30 s.",
  });

export const gapEvent = z
  .object({
    ...envelope,
    type: z.literal("hellotide.feed.gap"),
    data: z.object({ from: cursor, to: cursor }),
  })
  .register(components, { id: "GapEvent", description: "Events between the cursors are no longer kept." });

export const errorEvent = z
  .object({ ...envelope, type: z.literal("hellotide.feed.error"), data: z.object({ detail: z.string() }) })
  .register(components, { id: "FeedErrorEvent", description: "A client frame that was not understood." });

export const feedTicket = z.object({ ticket: z.string(), expires_at: time }).register(components, {
  id: "FeedTicket",
  description: "Lets a browser open the feed once within 30 s, as `?ticket=`.",
});

export const ackFrame = z
  .strictObject({ type: z.literal("ack"), cursor })
  .register(components, { id: "AckFrame", description: "Everything up to the cursor was taken." });
export const pingFrame = z
  .strictObject({ type: z.literal("ping") })
  .register(components, { id: "PingFrame", description: "A sign of life; answered by a pong." });
export const pongFrame = z
  .strictObject({ type: z.literal("pong") })
  .register(components, { id: "PongFrame", description: "The answer to a ping frame." });
export const clientFrame = z.union([ackFrame, pingFrame]);
