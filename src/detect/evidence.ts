/** What the requests behind an anomaly look like: weighted shares over the samples that were kept of them. */
import type { Evidence, Sample } from "./types.ts";
import { share } from "./words.ts";

/** Contract §5: top 3 of each, up to 5 ray ids. */
const TOP = 3;
const RAY_IDS = 5;

/** Each share is of the weight of those samples in which the field is known; nothing known, an empty list. */
export function evidenceOf(samples: Iterable<Sample>): Evidence {
  const kept = [...samples].filter(({ weight }) => weight > 0 && Number.isFinite(weight));
  return {
    paths: topShares(kept, ({ path }) => path),
    hosts: topShares(kept, ({ host }) => host),
    asns: topShares(kept, ({ asn }) => asn),
    statuses: topShares(kept, ({ status }) => status),
    methods: topShares(kept, ({ method }) => method),
    ray_ids: newestRays(kept),
  };
}

function topShares<T extends string | number>(
  samples: readonly Sample[],
  fieldOf: (sample: Sample) => T | undefined,
): [T, number][] {
  const weights = new Map<T, number>();
  let known = 0;
  for (const sample of samples) {
    const value = fieldOf(sample);
    if (value === undefined) continue;
    weights.set(value, (weights.get(value) ?? 0) + sample.weight);
    known += sample.weight;
  }
  // Equal weights in a fixed order, so that the same samples always give the same evidence.
  return [...weights]
    .sort(([a, wa], [b, wb]) => wb - wa || (a < b ? -1 : 1))
    .slice(0, TOP)
    .map(([value, weight]) => [value, share(weight / known)]);
}

function newestRays(samples: readonly Sample[]): string[] {
  const newestAt = new Map<string, number>();
  for (const { rayId, atMs } of samples) {
    if (rayId !== undefined) newestAt.set(rayId, Math.max(newestAt.get(rayId) ?? atMs, atMs));
  }
  return [...newestAt]
    .sort(([a, at], [b, bt]) => bt - at || (a < b ? -1 : 1))
    .slice(0, RAY_IDS)
    .map(([ray]) => ray);
}
