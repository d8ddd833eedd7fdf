/** All of a site's settings as one document (contract §2). What is absent when it is written is empty, or the default. */
import * as z from "zod/mini";
import { ITEMS_MAX } from "../config.ts";
import { components } from "./common.ts";
import { detectionInput, detectionOutput } from "./detection.ts";
import { silenceInput, silenceOutput } from "./silence.ts";
import { thresholdInput, thresholdOutput } from "./threshold.ts";
import { webhookInput, webhookOutput } from "./webhook.ts";

interface Issues {
  value: { id?: string | undefined }[];
  issues: z.core.$ZodRawIssue[];
}

/** Two items of one id: the second one is at fault. */
function uniqueIds({ value, issues }: Issues): void {
  const seen = new Set<string>();
  value.forEach(({ id }, i) => {
    if (id === undefined) return;
    if (seen.has(id)) {
      issues.push({
        code: "custom",
        path: [i, "id"],
        message: "another item has this id",
        input: id,
      });
    }
    seen.add(id);
  });
}

export const settingsInput = z
  .strictObject({
    thresholds: z._default(z.array(thresholdInput).check(z.maxLength(ITEMS_MAX.thresholds), uniqueIds), []),
    silences: z._default(z.array(silenceInput).check(z.maxLength(ITEMS_MAX.silences), uniqueIds), []),
    detection: z._default(detectionInput, {}),
    webhooks: z._default(z.array(webhookInput).check(z.maxLength(ITEMS_MAX.webhooks), uniqueIds), []),
  })
  .register(components, {
    id: "SettingsInput",
    description: "What a user writes; it replaces everything. Items without an id get one.",
  });

export const settingsOutput = z
  .object({
    thresholds: z.array(thresholdOutput),
    silences: z.array(silenceOutput),
    detection: detectionOutput,
    webhooks: z.array(webhookOutput),
  })
  .register(components, {
    id: "Settings",
    description: "All of a site's settings, without secrets but those of webhooks that this very write made.",
  });
