/**
 * The sites in numbers as OpenMetrics text (https://prometheus.io/docs/specs/om/open_metrics_spec/, version 1.0.0). Never
 * labelled by fingerprint: clients choose those, and each would be a series for good.
 */
import type { Source } from "../wire/frame.ts";
import type { ShardSummary } from "./summary.ts";

export const METRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/** What the feed counts of anomalies. */
export interface AnomalyCounts {
  /** Raised since the site's first start. */
  raised: { kind: string; severity: string; count: number }[];
  /** Not cleared yet. */
  active: { kind: string; count: number }[];
}

export interface FeedCounts extends AnomalyCounts {
  /** Open connections. */
  clients: number;
  /** Deliveries to webhooks that were given up. */
  webhookFailures: number;
}

/** What could be had of a site: parts that did not answer are missing. */
export interface SiteMetrics {
  site: string;
  shards: readonly ShardSummary[];
  /** Every shard answered. */
  isWhole: boolean;
  feed: FeedCounts | undefined;
}

type Labels = Record<string, string | number>;
type Sample = [labels: Labels, value: number];

interface Family {
  name: string;
  type: "counter" | "gauge";
  help: string;
  samples(site: SiteMetrics, nowMs: number): Sample[];
}

/** A sum over a part of the shards would look like a counter that was set back: without all of them there is none. */
const whole = ({ shards, isWhole }: SiteMetrics, sum: (shard: ShardSummary) => number): Sample[] =>
  isWhole ? [[{}, shards.reduce((total, shard) => total + sum(shard), 0)]] : [];

/** Results of which no sender's kind is known: their frames were never read to the end, or left no trace. */
const WITHOUT_SOURCE = ["duplicate", "stale", "shed"] as const;

function observations({ shards, isWhole }: SiteMetrics): Sample[] {
  if (!isWhole) return [];
  const counts = new Map<string, { source: string; result: string; count: number }>();
  const add = (source: string, result: string, count: number) => {
    const held = counts.get(`${source} ${result}`);
    counts.set(`${source} ${result}`, { source, result, count: (held?.count ?? 0) + count });
  };
  for (const { results, sinceStart } of shards) {
    for (const [source, byResult] of Object.entries(results)) {
      for (const [result, count] of Object.entries(byResult)) add(source as Source, result, count);
    }
    for (const result of WITHOUT_SOURCE) add("", result, sinceStart[result]);
  }
  return [...counts.values()].map(({ source, result, count }) => [{ source, result }, count]);
}

const FAMILIES: Family[] = [
  {
    name: "hellotide_observations",
    type: "counter",
    help: "Observations since the first start, by the way they came and what became of them.",
    samples: observations,
  },
  {
    name: "hellotide_fingerprints",
    type: "gauge",
    help: "Fingerprints of the last hour.",
    samples: (site) => whole(site, ({ fingerprints }) => fingerprints),
  },
  {
    name: "hellotide_without_ja4",
    type: "counter",
    help: "Observations without a JA4 since the first start.",
    samples: (site) => whole(site, ({ withoutJa4 }) => withoutJa4),
  },
  {
    name: "hellotide_anomalies",
    type: "counter",
    help: "Anomalies, thresholds and site events that were raised since the first start.",
    samples: ({ feed }) =>
      (feed?.raised ?? []).map(({ kind, severity, count }) => [{ kind, severity }, count]),
  },
  {
    name: "hellotide_active_anomalies",
    type: "gauge",
    help: "Anomalies, thresholds and site events that are not over.",
    samples: ({ feed }) => (feed?.active ?? []).map(({ kind, count }) => [{ kind }, count]),
  },
  {
    name: "hellotide_lost_at_edge",
    type: "counter",
    help: "Observations that edges dropped since the first start.",
    samples: (site) => whole(site, ({ sinceStart }) => sinceStart.lost_at_edge),
  },
  {
    name: "hellotide_shard_age_seconds",
    type: "gauge",
    help: "How far what a shard shows lies behind the clock.",
    samples: ({ shards }, nowMs) =>
      shards.map(({ shard, asOfMs }) => [{ shard }, Math.max(0, nowMs - asOfMs) / 1_000]),
  },
  {
    name: "hellotide_feed_clients",
    type: "gauge",
    help: "Open connections to the feed.",
    samples: ({ feed }) => (feed === undefined ? [] : [[{}, feed.clients]]),
  },
  {
    name: "hellotide_webhook_failures",
    type: "counter",
    help: "Deliveries to webhooks that were given up.",
    samples: ({ feed }) => (feed === undefined ? [] : [[{}, feed.webhookFailures]]),
  },
];

/** The whole exposition; a family's samples stand together, as the format asks. */
export function metricsText(sites: readonly SiteMetrics[], nowMs: number): string {
  const lines = FAMILIES.flatMap(({ name, type, help, samples }) => [
    `# TYPE ${name} ${type}`,
    ...(name.endsWith("_seconds") ? [`# UNIT ${name} seconds`] : []),
    `# HELP ${name} ${help}`,
    ...sites.flatMap((site) =>
      samples(site, nowMs).map(
        ([labels, value]) =>
          `${name}${type === "counter" ? "_total" : ""}{${labelText({ site: site.site, ...labels })}} ${value}`,
      ),
    ),
  ]);
  return `${[...lines, "# EOF"].join("\n")}\n`;
}

/** With the three escapes of the format. Values are names of our own today, but what is read here comes off disks too. */
function labelText(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${String(value).replace(/["\\\n]/g, escaped)}"`)
    .join(",");
}

function escaped(sign: string): string {
  return sign === "\n" ? "\\n" : `\\${sign}`;
}
