/** `/metrics` for Prometheus and what else reads OpenMetrics: the sites that the token may see. */
import * as z from "zod/mini";
import { unavailable } from "../base/problem.ts";
import { METRICS_TYPE, metricsText, type SiteMetrics } from "../reading/metrics.ts";
import { visibleSites } from "./auth.ts";
import type { Call, Route } from "./call.ts";
import { gather } from "./gather.ts";

export const metricsRoutes: Route[] = [
  {
    method: "GET",
    path: "/metrics",
    scope: "read",
    operationId: "getMetrics",
    summary: "The token's sites as OpenMetrics text.",
    answers: {
      200: {
        description:
          "Families `hellotide_…`, none labelled by fingerprint. What a part of a site that does not answer would tell is left out.",
        content: { "application/openmetrics-text": z.string() },
      },
    },
    problems: [503],
    handle: metrics,
  },
];

async function metrics(call: Call): Promise<Response> {
  const names = visibleSites(call.principal, call.options.sites);
  const sites = await Promise.all(names.map((site) => metricsOf(call, site)));
  if (sites.length > 0 && sites.every(({ shards, feed }) => shards.length === 0 && feed === undefined)) {
    throw unavailable("No site answers.");
  }
  return new Response(metricsText(sites, Date.now()), {
    headers: {
      "content-type": METRICS_TYPE,
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    },
  });
}

async function metricsOf({ objects }: Call, site: string): Promise<SiteMetrics> {
  const at = objects.site(site);
  const summaries = async () => gather(at, await at.map(), (shard) => shard.summary());
  const [shards, feed] = await Promise.allSettled([summaries(), at.feed().counts()]);
  return {
    site,
    shards: shards.status === "fulfilled" ? shards.value.answers : [],
    isWhole: shards.status === "fulfilled" && shards.value.missing.length === 0,
    feed: feed.status === "fulfilled" ? feed.value : undefined,
  };
}
