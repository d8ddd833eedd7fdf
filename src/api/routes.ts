/** Every route of the API; the router and the OpenAPI document are made from this list. */

import { anomalyRoutes } from "./anomalies.ts";
import { asyncapiRoute } from "./asyncapi.ts";
import { auditRoutes } from "./audit.ts";
import type { Route } from "./call.ts";
import { detectionRoutes } from "./detection.ts";
import { familyRoutes } from "./families.ts";
import { featureRoutes } from "./features.ts";
import { feedRoutes } from "./feed.ts";
import { fingerprintRoutes } from "./fingerprints.ts";
import { logpushRoutes } from "./logpush.ts";
import { metricsRoutes } from "./metrics.ts";
import { observationRoutes } from "./observations.ts";
import { settingsRoutes } from "./settings.ts";
import { silenceRoutes } from "./silences.ts";
import { systemRoutes } from "./system.ts";
import { thresholdRoutes } from "./thresholds.ts";
import { tokenRoutes } from "./tokens.ts";
import { webhookRoutes } from "./webhooks.ts";

export const routes: Route[] = [
  ...systemRoutes,
  asyncapiRoute,
  ...metricsRoutes,
  ...observationRoutes,
  ...logpushRoutes,
  ...fingerprintRoutes,
  ...familyRoutes,
  ...featureRoutes,
  ...thresholdRoutes,
  ...silenceRoutes,
  ...webhookRoutes,
  ...detectionRoutes,
  ...settingsRoutes,
  ...anomalyRoutes,
  ...feedRoutes,
  ...tokenRoutes,
  ...auditRoutes,
];
