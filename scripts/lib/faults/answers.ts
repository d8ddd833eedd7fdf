/** Comparing answers of two servers, or of one at two times, about the same data. */

/**
 * Left out everywhere: names, addresses, the moment of asking; sizes in bytes, which may depend on what was held before; what
 * a tick found, since ticks fall between other uploads.
 */
const ALWAYS =
  "site|as_of|ranks_as_of|url|instance|shards|bytes|score|anomalies|suppressed|severity|divergence|expected";
export const OWN = new RegExp(`^(${ALWAYS})$`);
/**
 * And ranks and shares of the site, which are as old as the last exchange with the Census; `partial`: one that took too long
 * is not waited for.
 */
export const OWN_AND_RANKS = new RegExp(
  `^(${ALWAYS}|partial|population|blast_radius|\\w+_(rank|quantile)_1h)$`,
);
/** And windows that move on within seconds, and counts of repeats, which a shard saves once a minute only. */
export const LASTING = new RegExp(
  `^(${ALWAYS}|population|blast_radius|\\w+_(rank|quantile)_1h|from|1m|5m|warm_up|active|duplicate)$`,
);

/** A JSON text without the keys that `leaveOut` names, at any depth. */
export function without(text: string, leaveOut: RegExp): unknown {
  return JSON.parse(text, (key, value: unknown) => (leaveOut.test(key) ? undefined : value));
}

/** Paths at which two values differ. A key that only one of them has is no difference: versions add some. */
export function differences(one: unknown, other: unknown, at = "$"): string[] {
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) {
    return Object.is(one, other) ? [] : [`${at}: ${JSON.stringify(one)} and ${JSON.stringify(other)}`];
  }
  if (Array.isArray(one) !== Array.isArray(other)) return [`${at}: a list and none`];
  if (Array.isArray(one) && Array.isArray(other) && one.length !== other.length) {
    return [`${at}: ${one.length} and ${other.length} items`];
  }
  return Object.keys(one)
    .filter((key) => key in other)
    .flatMap((key) => differences(Reflect.get(one, key), Reflect.get(other, key), `${at}.${key}`));
}
