/** Anomalies as they are read, and what users say of them (contract §4). */
import * as z from "zod/mini";
import { FEEDBACK_NOTE_MAX_CHARS } from "../base/read-limits.ts";
import { components, cursor, time } from "./common.ts";
import { anomalyEvent, siteEvent, thresholdEvent } from "./feed.ts";

const verdict = z.enum(["true", "false"]);
const note = z.string().check(z.maxLength(FEEDBACK_NOTE_MAX_CHARS));

export const feedbackInput = z.strictObject({ verdict, note: z.optional(note) }).register(components, {
  id: "FeedbackInput",
  description: "Whether the anomaly was a true one, or a false alarm.",
});

export const feedback = z
  .object({ anomaly_id: z.string(), verdict, note: z.optional(note), created_at: time })
  .register(components, {
    id: "Feedback",
    description: "What users say of an anomaly; the last word counts.",
  });
export type Feedback = z.infer<typeof feedback>;

const event = z.union([anomalyEvent, thresholdEvent, siteEvent]);

export const anomalyList = z
  .object({
    anomalies: z.array(event),
    next_cursor: z.optional(cursor),
    gap: z.optional(z.object({ from: cursor, to: cursor })),
  })
  .register(components, {
    id: "AnomalyList",
    description:
      "Without `since` the newest event of each anomaly, newest first; with it every event after that cursor, oldest first. `gap`: events after the cursor that are no longer kept.",
  });

export const anomaly = z
  .intersection(event, z.object({ feedback: z.optional(feedback) }))
  .register(components, {
    id: "AnomalyAnswer",
    description: "The newest event of an anomaly, and the feedback on it.",
  });
