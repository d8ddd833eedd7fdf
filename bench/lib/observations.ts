/**
 * Observations for the ingest benchmarks, the same for the shard and its peers: fingerprints by Zipf's law, and five
 * identities a request whose values repeat as those of visitors do. The same seed, the same observations.
 */
import { generator, scatter } from "./random.ts";

const OBSERVATIONS_SEED = 20_261_123;
const FINGERPRINTS = 2_000;
/** With it a frame of 500 rows holds 100 to 200 fingerprints. */
const ZIPF_EXPONENT = 1.1;
/** Values that one fingerprint's requests are drawn from, some of them far more often than others. */
const ADDRESSES = 5_000;
const AGENTS = 20;
const PATHS = 2_000;
const HOSTS = 3;
const NETWORKS = 300;

export const INPUT = `Zipf ${ZIPF_EXPONENT} over ${FINGERPRINTS} fingerprints, 5 identities a request, seed ${OBSERVATIONS_SEED}`;

export interface Observation {
  /** Index into `ja4s`. */
  readonly fp: number;
  /** 32-bit hashes. */
  readonly ip: number;
  readonly ua: number;
  readonly path: number;
  readonly host: number;
  readonly asn: number;
  /** Three facts of the request, as bits. */
  readonly facts: number;
}

/** The fingerprints, the most frequent first. */
export function ja4s(): string[] {
  const random = generator(OBSERVATIONS_SEED);
  const digits = () => Array.from({ length: 12 }, () => Math.floor(random() * 16).toString(16)).join("");
  return Array.from({ length: FINGERPRINTS }, () => `t13d1516h2_${digits()}_${digits()}`);
}

export function observations(count: number): Observation[] {
  const random = generator(OBSERVATIONS_SEED + 1);
  const below = (limit: number) => Math.floor(random() * limit);
  /** Index by Zipf's law, roughly: the n-th is as often as 1/n. */
  const popular = (limit: number) => Math.floor(limit ** random()) - 1;
  const upTo = zipf(FINGERPRINTS, ZIPF_EXPONENT);
  return Array.from({ length: count }, () => {
    const fp = place(upTo, random());
    // Each fingerprint has values of its own in every column.
    const value = (column: number, index: number) => scatter((fp << 18) ^ (column << 14) ^ index);
    return {
      fp,
      ip: value(1, popular(ADDRESSES)),
      ua: value(2, popular(AGENTS)),
      path: value(3, popular(PATHS)),
      host: value(4, below(HOSTS)),
      asn: value(5, popular(NETWORKS)),
      facts: below(8),
    };
  });
}

/** Cumulative shares of `count` ranks. */
function zipf(count: number, exponent: number): Float64Array {
  const shares = Float64Array.from({ length: count }, (_, rank) => (rank + 1) ** -exponent);
  const sum = shares.reduce((total, share) => total + share, 0);
  let reached = 0;
  return shares.map((share) => {
    reached += share / sum;
    return reached;
  });
}

/** The first rank whose cumulative share is above `at`. */
function place(upTo: Float64Array, at: number): number {
  let [low, high] = [0, upTo.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (upTo[middle]! > at) high = middle;
    else low = middle + 1;
  }
  return low;
}
