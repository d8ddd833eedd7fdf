/** All of a site's settings as one document (contract §2): read, kept in version control, and put back as a whole. */
import type { Fault } from "../base/problem.ts";
import { SETTINGS_BODY_MAX_BYTES } from "../config.ts";
import type { Options } from "../options.ts";
import { filledDetection } from "../schemas/detection.ts";
import { isSameItem } from "../schemas/item.ts";
import { settingsInput, settingsOutput } from "../schemas/settings-document.ts";
import { readJson } from "./body.ts";
import { type Call, json, type Route } from "./call.ts";
import { changedSince, etag, ifMatchParameter, parseIfMatch } from "./if-match.ts";
import { newItemId, type Resource, throwFaults } from "./items.ts";
import type { ItemInputs, ItemKind, ItemOutput, StoredSettings } from "./objects.ts";
import { silenceResource } from "./silences.ts";
import { thresholdResource } from "./thresholds.ts";
import { validate } from "./validate.ts";
import { webhookResource } from "./webhooks.ts";

const PATH = "/v1/sites/:site/settings";
/** What single writes of each kind refuse at this time, and this document too. */
const CHECKS: { [K in ItemKind]: Required<Pick<Resource<K, never>, "faultsAt">> } = {
  thresholds: thresholdResource,
  silences: silenceResource,
  webhooks: webhookResource,
};
const KINDS = Object.keys(CHECKS) as ItemKind[];

export const settingsRoutes: Route[] = [
  {
    method: "GET",
    path: PATH,
    scope: "read",
    operationId: "getSettings",
    summary: "All settings of the site as one document.",
    answers: { 200: { description: "Everything that users set.", schema: settingsOutput } },
    problems: [503],
    handle: async ({ at }) => answer(await at.settings().all()),
  },
  {
    method: "PUT",
    path: PATH,
    scope: "write",
    operationId: "putSettings",
    summary: "Replace all settings at once, or none when one is at fault.",
    parameters: [ifMatchParameter],
    body: { "application/json": settingsInput },
    example: {
      thresholds: [{ id: "login-flood", ...thresholdResource.example }],
      silences: [{ id: "release", ...silenceResource.example }],
      detection: { alert_budget_per_day: 5, delay: "0s", storm: { raises: 20, per: "5m" }, kinds: {} },
      webhooks: [],
    },
    answers: { 200: { description: "In force. What is as before keeps its times.", schema: settingsOutput } },
    problems: [400, 412, 413, 415, 422, 503],
    handle: put,
  },
];

/** `fresh`: ids of webhooks whose secrets are told, once. */
function answer(settings: StoredSettings, fresh: readonly string[] = []): Response {
  const { revision, thresholds, silences, detection } = settings;
  const webhooks = settings.webhooks.map((one) => webhookResource.written(one, fresh.includes(one.id)));
  const body = { thresholds, silences, detection: filledDetection(detection), webhooks };
  return json(body, 200, etag(revision));
}

async function put({ request, at, options }: Call): Promise<Response> {
  const ifMatch = parseIfMatch(request);
  const written = validate(settingsInput, await readJson(request, SETTINGS_BODY_MAX_BYTES));
  const input = {
    thresholds: normalItems(thresholdResource, written.thresholds),
    silences: normalItems(silenceResource, written.silences),
    webhooks: normalItems(webhookResource, written.webhooks),
    detection: written.detection,
  };
  const faults = (held?: StoredSettings) =>
    KINDS.flatMap((kind) => faultsOf(kind, input[kind], held?.[kind] ?? [], options));
  if (faults().length > 0) throwFaults(faults(await at.settings().all()));
  const stored = await at.settings().putAll(input, ifMatch);
  if (stored === undefined) throw changedSince("site's settings");
  return answer(stored, stored.newWebhooks);
}

function normalItems<K extends ItemKind, W extends { id?: string | undefined }>(
  { normal, idPrefix }: Resource<K, W>,
  items: W[],
): (ItemInputs[K] & { id: string })[] {
  return items.map((item) => ({ ...normal(item), id: item.id ?? newItemId(idPrefix) }));
}

/** What is wrong with items now, with pointers into the document; what is `held` already may stay. */
function faultsOf<K extends ItemKind>(
  kind: K,
  items: readonly (ItemInputs[K] & { id: string })[],
  held: readonly ItemOutput<K>[],
  options: Options,
): Fault[] {
  const nowMs = Date.now();
  return items.flatMap((item, i) => {
    const faults = CHECKS[kind].faultsAt(item, nowMs, options);
    if (faults.length === 0 || held.some((one) => one.id === item.id && isSameItem(one, item))) return [];
    return faults.map(({ pointer, detail }) => ({ pointer: `/${kind}/${i}${pointer}`, detail }));
  });
}
