/**
 * A fingerprint's full form as one flat row for models: the JSON path joined with `_` (`windows_1m_reqs`,
 * `local_browser_ratio_1h`). What is absent has no key. Within a version columns are only added.
 */
export const FEATURE_VERSION = 1;

export type FeatureRow = Record<string, number | string>;

/** Parts of the full form that are lists or texts for people, not features. */
const LEFT_OUT = new Set(["divergence", "anomalies", "names", "waf_expression", "partial"]);

export function featureRow(
  form: { site: string; ja4: string; as_of: string } & Record<string, unknown>,
): FeatureRow {
  const { site, ja4, as_of, ...rest } = form;
  const row: FeatureRow = { feature_version: FEATURE_VERSION, site, ja4, as_of };
  flatten(rest, "", row);
  return row;
}

function flatten(value: Record<string, unknown>, prefix: string, row: FeatureRow): void {
  for (const [key, member] of Object.entries(value)) {
    if (prefix === "" && LEFT_OUT.has(key)) continue;
    const path = `${prefix}${key}`;
    if (typeof member === "number" || typeof member === "string") row[path] = member;
    else if (typeof member === "object" && member !== null && !Array.isArray(member)) {
      flatten(member as Record<string, unknown>, `${path}_`, row);
    }
  }
}
