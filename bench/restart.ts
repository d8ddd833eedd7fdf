/** What a start of a shard costs: its memory read from an image, against every frame of the hour counted again. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Benchmark, Context, Figure, Samples, Series } from "../scripts/lib/bench/benchmark.ts";
import { runScript } from "../scripts/lib/bench/processes.ts";
import type { RestartInput, RestartResult } from "./processes/restart.ts";

/** An hour's traffic. */
interface Hour {
  readonly name: string;
  /** Fingerprints, and how many of them come again and again; the others come `few` times. */
  readonly fingerprints: number;
  readonly busy: number;
  /** Of Zipf's law, for the busy ones. */
  readonly exponent: number;
  readonly few: number;
  readonly observations: number;
  /** Whether everybody must have found room. */
  readonly fits: boolean;
  /** Milliseconds, on a machine of our measurements: a full run alone is held to it. */
  readonly targetMs?: number;
}

const FULL: readonly Hour[] = [
  {
    name: "a full hour",
    ...{ fingerprints: 10_000, busy: 10_000, exponent: 1.2, few: 1, observations: 1_000_000 },
    ...{ fits: true, targetMs: 50 },
  },
  {
    name: "at the limits",
    ...{ fingerprints: 102_000, busy: 8_000, exponent: 0.7, few: 3, observations: 1_200_000, fits: false },
  },
];
const QUICK: readonly Hour[] = [
  {
    name: "a full hour",
    ...{ fingerprints: 1_000, busy: 1_000, exponent: 1.2, few: 1, observations: 50_000, fits: true },
  },
];
/** Rows of a frame: what an edge sends when it has enough. */
const FRAME_ROWS = 500;

export const restart: Benchmark = {
  name: "restart",
  about: "a start of a shard: from an image, against counting the log again",
  open: async ({ quick }) => {
    const dir = await mkdtemp(join(tmpdir(), "hellotide-restart-"));
    const hours = quick ? QUICK : FULL;
    const run = (variant: RestartInput["variant"], hour: Hour) =>
      runScript<RestartResult>("bench/processes/restart.ts", {
        ...{ variant, frameRows: FRAME_ROWS, dir: join(dir, String(hours.indexOf(hour))) },
        ...{ fingerprints: hour.fingerprints, busy: hour.busy, exponent: hour.exponent, few: hour.few },
        observations: hour.observations,
      } satisfies RestartInput);
    try {
      for (const hour of hours) await run("make", hour);
    } catch (error) {
      await rm(dir, { recursive: true, force: true });
      throw error;
    }
    return {
      series: hours.map((hour) => series(hour, { quick }, (variant) => run(variant, hour))),
      close: () => rm(dir, { recursive: true, force: true }),
    };
  },
};

function series(
  hour: Hour,
  { quick }: Context,
  run: (variant: "image" | "replay") => Promise<RestartResult>,
): Series {
  const own = (label: string, metric: string, unit = "ms"): Figure => {
    return { label, metric, unit, variant: "image" };
  };
  const count = (n: number) => n.toLocaleString("en-US");
  return {
    name: `${hour.name}: ${count(hour.fingerprints)} fingerprints, ${count(hour.observations)} observations, in Node`,
    rounds: 7,
    variants: [
      { name: "image", run: () => run("image") },
      { name: "replay", run: () => run("replay") },
    ],
    figures: [
      { ...own("from bytes to the window", "start_ms"), against: "replay" },
      { ...own("the bytes that it is read from", "bytes", "bytes"), against: "replay" },
      own("… the checksum alone", "checksum_ms"),
      own("the image is written: the first", "write_ms"),
      own("… once that code is hot", "write_again_ms"),
      own("fingerprints told apart", "live", ""),
      own("… in full", "tracked", ""),
      own("… that had to leave", "evicted", ""),
      own("what the window says it takes", "memory", "bytes"),
    ],
    check: (samples) => faults(hour, quick, samples),
  };
}

/** Both ways must lead to the very memory that the image was written of. */
function faults({ fits, targetMs }: Hour, quick: boolean, samples: Samples): string[] {
  const images = samples.get("image") ?? [];
  return [
    ...[...samples].flatMap(([name, runs]) =>
      runs.some(({ same }) => same !== 1) ? [`${name}: not the window that it was`] : [],
    ),
    ...(images.some(({ evicted }) => (evicted === 0) !== fits)
      ? [`fingerprints had to leave: ${!fits} was expected`]
      : []),
    ...(targetMs === undefined || quick || images.some(({ start_ms }) => start_ms! <= targetMs)
      ? []
      : [`no image was read in ${targetMs} ms or less`]),
    ...(targetMs === undefined || quick || images.some(({ write_ms }) => write_ms! <= targetMs)
      ? []
      : [`no image was written in ${targetMs} ms or less`]),
  ];
}
