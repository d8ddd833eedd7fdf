/** Webhooks (contract §5): addresses that are told of events. Secrets are told once, and kept where nobody reads them. */
import type * as z from "zod/mini";
import { parseDuration, rfc3339 } from "../base/time.ts";
import type { Options } from "../options.ts";
import { withoutServerMade } from "../schemas/item.ts";
import {
  compileWebhook,
  webhookInput,
  webhookList,
  webhookOutput,
  webhookRotation,
  webhookTest,
} from "../schemas/webhook.ts";
import { verdictOf } from "../webhooks/schedule.ts";
import { type TargetRules, targetFault } from "../webhooks/target.ts";
import { readOptionalJson } from "./body.ts";
import { type Call, json, type Route } from "./call.ts";
import { changedSince, etag, ifMatchParameter, parseIfMatch } from "./if-match.ts";
import { absent, itemRoutes, type Resource } from "./items.ts";
import type { ItemOutput } from "./objects.ts";
import { validate } from "./validate.ts";

const PATH = "/v1/sites/:site/webhooks/:id";

/** Webhooks as a kind of item. */
export const webhookResource = {
  kind: "webhooks",
  noun: "webhook",
  idPrefix: "w",
  input: webhookInput,
  output: webhookOutput,
  example: {
    url: "https://hooks.example.com/hellotide",
    ...{ enabled: true, format: "cloudevents" as const, kinds: ["surge"], min_severity: "warning" as const },
  },
  list: webhookList,
  summaries: {
    list: "Webhooks by id, without secrets, each with how it is doing.",
    create: "Create a webhook; the answer is the only one with its secret.",
    one: "One webhook, without its secret.",
    put: "Create or replace a webhook; its secret stays.",
    remove: "Delete a webhook; what was waiting for it is dropped.",
  },
  normal: (written) => {
    const {
      secret: _,
      overlap_until: __,
      status: ___,
      disabled_reason: ____,
      ...input
    } = withoutServerMade(written);
    return input;
  },
  faultsAt: ({ url }, _, options) => {
    const fault = targetFault(url, rulesOf(options));
    return fault === undefined ? [] : [{ pointer: "/url", detail: `The URL ${fault}.` }];
  },
  show: async ({ at }, webhooks) => {
    if (webhooks.length === 0) return [];
    const statuses = await at.feed().webhookStatus(webhooks.map(({ id }) => id));
    return webhooks.map((stored) => {
      const { disabled_reason, ...status } = statuses[stored.id]!;
      return {
        ...shownWebhook(stored),
        status,
        ...(disabled_reason === undefined ? {} : { disabled_reason }),
      };
    });
  },
  written: (stored, isNew) => ({
    ...shownWebhook(stored),
    ...(isNew ? { secret: stored.secrets?.[0]?.secret } : {}),
  }),
} satisfies Resource<"webhooks", z.infer<typeof webhookInput>>;

export const webhookRoutes: Route[] = [
  ...itemRoutes(webhookResource),
  {
    method: "POST",
    path: `${PATH}/rotate`,
    scope: "write",
    operationId: "rotateWebhook",
    summary: "Give a webhook a new secret; the one of before signs beside it for `overlap`.",
    parameters: [ifMatchParameter],
    body: { "application/json": webhookRotation },
    optionalBody: true,
    answers: { 200: { description: "The webhook with its new secret.", schema: webhookOutput } },
    problems: [400, 412, 413, 415, 422, 503],
    handle: rotate,
  },
  {
    method: "POST",
    path: `${PATH}/test`,
    scope: "write",
    audit: false,
    operationId: "testWebhook",
    summary: "Send a message about nothing now, also to a webhook that is disabled.",
    answers: { 200: { description: "What came of it.", schema: webhookTest } },
    problems: [503],
    handle: test,
  },
];

/** A webhook as users see it: nothing of it that is secret. */
function shownWebhook({ secrets = [], routing_key: _, ...shown }: ItemOutput<"webhooks">): object {
  const untilMs = Math.max(...secrets.map(({ untilMs: end }) => end ?? 0));
  return { ...shown, ...(untilMs > Date.now() ? { overlap_until: rfc3339(untilMs) } : {}) };
}

function rulesOf({ apiHosts, publicUrl, webhookLoopback }: Options): TargetRules {
  const own = publicUrl === undefined ? [] : [new URL(publicUrl).hostname];
  return { ownHosts: [...apiHosts, ...own], loopback: webhookLoopback };
}

async function rotate(call: Call): Promise<Response> {
  const ifMatch = parseIfMatch(call.request);
  // First of all whether there is such a webhook: a body is of interest only then.
  if ((await call.at.settings().item("webhooks", call.params.id!)) === undefined)
    throw absent(webhookResource);
  const { overlap } = validate(webhookRotation, await readOptionalJson(call.request));
  const overlapMs = parseDuration(overlap) ?? 0;
  const result = await call.at.settings().rotateWebhook(call.params.id!, overlapMs, ifMatch);
  if (result === "absent") throw absent(webhookResource);
  if (result === "changed") throw changedSince("webhook");
  return json(webhookResource.written(result.body, true), 200, etag(result.revision));
}

async function test({ at, params }: Call): Promise<Response> {
  const stored = await at.settings().item("webhooks", params.id!);
  if (stored === undefined) throw absent(webhookResource);
  const { status, detail } = await at.feed().testWebhook(compileWebhook(stored.body, []));
  const delivered = verdictOf(status) === "delivered";
  return json({ delivered, ...(status === undefined ? {} : { status }), detail });
}
