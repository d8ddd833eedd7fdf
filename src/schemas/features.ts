/**
 * The columns of a feature row: the JSON path of each number and short text of the full form, joined with `_`. They are read
 * off the form's own schema, so that none is forgotten; lists and texts for people are left out.
 */
import * as z from "zod/mini";
import { components, ja4 } from "./common.ts";
import { fingerprint } from "./reading.ts";

export const FEATURE_FORMATS = ["ndjson", "csv"] as const;
export type FeatureFormat = (typeof FEATURE_FORMATS)[number];

export interface FeatureColumn {
  name: string;
  /** Where the value is in the full form; empty = it is not of the form. */
  path: readonly string[];
  type: "integer" | "number" | "string";
}

/** Texts of the full form that are made for people. */
const LEFT_OUT = new Set(["waf_expression"]);

/**
 * The order of the columns of FEATURE_VERSION, for good: what is new goes to the end. A column that is not named here comes
 * after all others.
 */
export const FEATURE_ORDER: readonly string[] = [
  "feature_version",
  "site",
  "ja4",
  "as_of",
  "source",
  "ranks_as_of",
  "first_seen",
  "last_seen",
  "windows_1m_from",
  "windows_1m_reqs",
  "windows_1m_ips",
  "windows_1m_uas",
  "windows_1m_paths",
  "windows_1m_asns",
  "windows_1m_hosts",
  "windows_1m_h2h3_ratio",
  "windows_1m_heuristic_ratio",
  "windows_1m_browser_ratio",
  "windows_1m_bot_ratio",
  "windows_1m_cache_ratio",
  "windows_1m_error_ratio",
  "windows_5m_from",
  "windows_5m_reqs",
  "windows_5m_ips",
  "windows_5m_uas",
  "windows_5m_paths",
  "windows_5m_asns",
  "windows_5m_hosts",
  "windows_5m_h2h3_ratio",
  "windows_5m_heuristic_ratio",
  "windows_5m_browser_ratio",
  "windows_5m_bot_ratio",
  "windows_5m_cache_ratio",
  "windows_5m_error_ratio",
  "windows_1h_from",
  "windows_1h_reqs",
  "windows_1h_ips",
  "windows_1h_uas",
  "windows_1h_paths",
  "windows_1h_asns",
  "windows_1h_hosts",
  "windows_1h_h2h3_ratio",
  "windows_1h_heuristic_ratio",
  "windows_1h_browser_ratio",
  "windows_1h_bot_ratio",
  "windows_1h_cache_ratio",
  "windows_1h_error_ratio",
  "local_h2h3_ratio_1h",
  "local_heuristic_ratio_1h",
  "local_browser_ratio_1h",
  "local_cache_ratio_1h",
  "local_reqs_rank_1h",
  "local_uas_rank_1h",
  "local_paths_rank_1h",
  "local_ips_rank_1h",
  "local_reqs_quantile_1h",
  "local_ips_quantile_1h",
  "local_population",
  "local_bot_ratio_1h",
  "local_error_ratio_1h",
  "local_asns_1h",
  "local_hosts_1h",
  "global_h2h3_ratio_1h",
  "global_heuristic_ratio_1h",
  "global_browser_ratio_1h",
  "global_cache_ratio_1h",
  "global_reqs_rank_1h",
  "global_uas_rank_1h",
  "global_paths_rank_1h",
  "global_ips_rank_1h",
  "global_reqs_quantile_1h",
  "global_ips_quantile_1h",
  "global_population",
  "global_seen_at",
  "expected_reqs_1m_mean",
  "expected_reqs_1m_low",
  "expected_reqs_1m_high",
  "score",
  "blast_radius_share_of_reqs",
  "blast_radius_share_of_browser_reqs",
  "combined_h2h3_ratio_1h_value",
  "combined_h2h3_ratio_1h_low",
  "combined_h2h3_ratio_1h_high",
  "combined_heuristic_ratio_1h_value",
  "combined_heuristic_ratio_1h_low",
  "combined_heuristic_ratio_1h_high",
  "combined_browser_ratio_1h_value",
  "combined_browser_ratio_1h_low",
  "combined_browser_ratio_1h_high",
  "combined_cache_ratio_1h_value",
  "combined_cache_ratio_1h_low",
  "combined_cache_ratio_1h_high",
];

interface JsonSchema {
  type?: string;
  properties?: Record<string, JsonSchema>;
  /** Of records: which keys there can be, and what each holds. */
  propertyNames?: { enum?: string[] };
  additionalProperties?: JsonSchema | boolean;
}

function membersOf({ properties, propertyNames, additionalProperties }: JsonSchema): [string, JsonSchema][] {
  if (properties !== undefined) return Object.entries(properties);
  if (typeof additionalProperties !== "object") return [];
  return (propertyNames?.enum ?? []).map((name) => [name, additionalProperties]);
}

/** Leaves of a schema in its own order. */
function leavesOf(schema: JsonSchema, path: readonly string[]): FeatureColumn[] {
  const { type } = schema;
  if (type === "object")
    return membersOf(schema).flatMap(([name, member]) => leavesOf(member, [...path, name]));
  if (type !== "integer" && type !== "number" && type !== "string") return [];
  return LEFT_OUT.has(path[0]!) ? [] : [{ name: path.join("_"), path, type }];
}

/** Columns of a form of this schema, in the given order. */
export function columnsOf(form: z.ZodMiniType, order: readonly string[]): FeatureColumn[] {
  const schema = z.toJSONSchema(form, { io: "output", unrepresentable: "any" }) as JsonSchema;
  const place = new Map(order.map((name, i) => [name, i]));
  const placeOf = ({ name }: FeatureColumn) => place.get(name) ?? order.length;
  const version: FeatureColumn = { name: "feature_version", path: [], type: "integer" };
  // Stable: those without a place stay in the schema's order.
  return [version, ...leavesOf(schema, [])].sort((a, b) => placeOf(a) - placeOf(b));
}

let columns: readonly FeatureColumn[] | undefined;

/** The columns, in their order; made at the first use, since a Worker's start has little time. */
export function featureColumns(): readonly FeatureColumn[] {
  columns ??= columnsOf(fingerprint, FEATURE_ORDER);
  return columns;
}

export const featureLine = z
  .catchall(
    z.object({ feature_version: z.int(), site: z.string(), ja4, as_of: z.string() }),
    z.union([z.number(), z.string()]),
  )
  .register(components, {
    id: "FeatureRow",
    description:
      "A line of NDJSON: one fingerprint, columns named by their JSON path in the full form, joined with `_`. What is absent has no key.",
  });
