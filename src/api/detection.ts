/** Detection settings (contract §5): one resource that is always there, at first with the defaults. */
import {
  type DetectionInput,
  detectionInput,
  detectionOutput,
  filledDetection,
} from "../schemas/detection.ts";
import { readJson } from "./body.ts";
import { type Call, json, type Route } from "./call.ts";
import { changedSince, etag, ifMatchParameter, parseIfMatch } from "./if-match.ts";
import type { StoredDetection } from "./objects.ts";
import { validate } from "./validate.ts";

const PATH = "/v1/sites/:site/detection";

export const detectionRoutes: Route[] = [
  {
    method: "GET",
    path: PATH,
    scope: "read",
    operationId: "getDetection",
    summary: "Detection settings, with every default filled in.",
    answers: { 200: { description: "The settings in force.", schema: detectionOutput } },
    problems: [503],
    handle: async ({ at }) => answer(await at.settings().detection(), 200),
  },
  {
    method: "PUT",
    path: PATH,
    scope: "write",
    operationId: "putDetection",
    summary: "Replace the detection settings; what is absent is the default.",
    parameters: [ifMatchParameter],
    body: { "application/json": detectionInput },
    answers: {
      200: { description: "Replaced, in force.", schema: detectionOutput },
      201: { description: "Written for the first time, in force.", schema: detectionOutput },
    },
    problems: [400, 412, 413, 415, 422, 503],
    handle: put,
  },
];

function answer({ body, revision }: StoredDetection, status: number): Response {
  return json(filledDetection(body), status, etag(revision));
}

async function put({ request, at }: Call): Promise<Response> {
  const ifMatch = parseIfMatch(request);
  const input: DetectionInput = validate(detectionInput, await readJson(request));
  const result = await at.settings().putDetection(input, ifMatch);
  if (result === undefined) throw changedSince("detection settings");
  return answer(result.stored, result.isNew ? 201 : 200);
}
