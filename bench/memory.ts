/** What a fingerprint costs a shard in memory, and what a flood of fingerprints that never repeat does to it. */
import type { Benchmark, Context, Figure, Samples, Series } from "../scripts/lib/bench/benchmark.ts";
import { runScript } from "../scripts/lib/bench/processes.ts";
import { FloodRuns } from "./lib/flood-runs.ts";
import { WINDOW_PARTS } from "./lib/window-parts.ts";
import type { MemoryInput, MemoryResult } from "./processes/memory.ts";

/** Fingerprints alike, by what they do in an hour; identities in the order of IDENTITIES (ip, ua, path, host, asn). */
interface Class {
  readonly name: string;
  readonly fingerprints: number;
  readonly requests: number;
  readonly pools: readonly number[];
  /** Bytes that one may take, what detectors keep of it included. */
  readonly target: number;
  /** Bytes that detectors keep of it: of those in full only. */
  readonly detectors: number;
  /** Fewer, for a peer that would not fit the process. */
  readonly peerFingerprints?: number;
  readonly quick: { readonly fingerprints: number; readonly requests: number };
}

const CLASSES: readonly Class[] = [
  {
    name: "1 request",
    fingerprints: 100_000,
    requests: 1,
    pools: [1, 1, 1, 1, 1],
    target: 64,
    detectors: 0,
    quick: { fingerprints: 20_000, requests: 1 },
  },
  {
    name: "10 requests",
    fingerprints: 20_000,
    requests: 10,
    pools: [10, 2, 8, 1, 4],
    target: 450,
    detectors: 0,
    quick: { fingerprints: 4_000, requests: 10 },
  },
  {
    name: "3,000 requests, 1,000 addresses",
    fingerprints: 1_000,
    requests: 3_000,
    pools: [1_000, 5, 100, 1, 50],
    target: 9_000,
    detectors: 200,
    quick: { fingerprints: 100, requests: 3_000 },
  },
  {
    name: "500,000 requests, 200,000 addresses",
    fingerprints: 40,
    requests: 500_000,
    pools: [200_000, 10_000, 100_000, 5, 5_000],
    target: 70_000,
    detectors: 200,
    peerFingerprints: 4,
    quick: { fingerprints: 40, requests: 10_000 },
  },
];
/** Share by which the process and the window may disagree. */
const AGREEMENT = 0.1;
/** What a process's heap and buffers differ by from one collection to the next, whatever is held. */
const NOISE_BYTES = 4 * 1024 * 1024;

export const memory: Benchmark = {
  name: "memory",
  about: "bytes a fingerprint, and a flood of 1,000,000 fingerprints in 64 MB",
  open: async (context) => {
    const flood = await FloodRuns.open(context);
    return {
      series: [...CLASSES.map((one) => bytesEach(one, context)), flood.series()],
      close: async () => flood.close(),
    };
  },
};

function bytesEach(one: Class, { quick }: Context): Series {
  const { fingerprints, requests } = quick ? one.quick : one;
  const variant = (name: MemoryInput["variant"], count: number) => ({
    name,
    run: async () => {
      const input: MemoryInput = { variant: name, fingerprints: count, requests, pools: one.pools };
      return { ...(await runScript<MemoryResult>("bench/processes/memory.ts", input, ["--expose-gc"])) };
    },
  });
  const figure = (label: string, metric: keyof MemoryResult): Figure => {
    return { label, metric, unit: "bytes", variant: "window" };
  };
  const few = one.peerFingerprints ?? Number.POSITIVE_INFINITY;
  return {
    name: `a fingerprint of ${one.name}`,
    rounds: 3,
    variants: [variant("window", fingerprints), variant("maps", Math.min(fingerprints, few))],
    figures: [
      { ...figure("everything that the process holds", "bytes"), against: "maps" },
      figure("… in buffers", "buffers"),
      figure("what the window says", "told"),
      ...WINDOW_PARTS.map((part) => figure(`… ${part}`, part)),
    ],
    check: (samples) => [
      ...wrongNumbers(samples),
      ...disagreements(samples, NOISE_BYTES / fingerprints),
      ...(quick ? [] : overTarget(one, samples)),
    ],
  };
}

function wrongNumbers(samples: Samples): string[] {
  return [...samples].flatMap(([name, runs]) =>
    runs.some(({ wrong, lost }) => wrong !== 0 || (lost ?? 0) !== 0)
      ? [`${name}: counts are wrong or fingerprints were lost`]
      : [],
  );
}

/** Where what the window says differs from what the process holds by more than AGREEMENT. */
function disagreements(samples: Samples, noiseBytes: number): string[] {
  return (samples.get("window") ?? []).flatMap(({ bytes, told }) =>
    Math.abs(bytes! - told!) <= bytes! * AGREEMENT + noiseBytes
      ? []
      : [`the window says ${Math.round(told!)} bytes, the process holds ${Math.round(bytes!)}`],
  );
}

function overTarget({ target, detectors }: Class, samples: Samples): string[] {
  const most = Math.max(...(samples.get("window") ?? []).map(({ bytes }) => bytes!));
  return most + detectors <= target
    ? []
    : [`${Math.round(most)} bytes and ${detectors} for detectors are more than the target of ${target}`];
}
