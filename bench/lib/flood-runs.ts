/** A shard in an engine whose old space is limited, flooded with fingerprints that never repeat, and left in peace. */
import type { Context, Figure, Sample, Samples, Series } from "../../scripts/lib/bench/benchmark.ts";
import { runScript } from "../../scripts/lib/bench/processes.ts";
import type { FloodInput, FloodResult } from "../processes/flood.ts";
import { Workshop } from "./engine.ts";
import { FLOOD_PARTS, FloodedShard } from "./flooded-shard.ts";

const NAME = "flood";
const OLD_SPACE_MB = 64;
/** The real fingerprints' part of the traffic is a tenth. */
const FULL = { flood: 1_000_000, real: 111_111, fingerprints: 2_000, callers: 4 };
const QUICK = { flood: 120_000, real: 13_333, fingerprints: 2_000, callers: 4 };
/** In percent. */
const RECALL_100_MIN = 99;
const RECALL_1000_MIN = 95;

export class FloodRuns {
  readonly #workshop = new Workshop();
  readonly #size: typeof FULL;

  private constructor({ quick }: Context) {
    this.#size = quick ? QUICK : FULL;
  }

  static async open(context: Context): Promise<FloodRuns> {
    const runs = new FloodRuns(context);
    const flags = [`--max-old-space-size=${OLD_SPACE_MB}`];
    await runs.#workshop.prepare(NAME, "bench/workers/flood.ts", flags);
    return runs;
  }

  close(): void {
    this.#workshop.close();
  }

  series(): Series {
    const { flood, fingerprints } = this.#size;
    const figure = (label: string, metric: string, unit: string): Figure => {
      return { label, metric, unit, variant: "flood" };
    };
    const both = (...of: Parameters<typeof figure>) => ({ ...figure(...of), against: "peace" });
    const count = (n: number) => n.toLocaleString("en-US");
    return {
      name: `${count(flood)} fingerprints that never repeat among ${count(fingerprints)} that do, old space ${OLD_SPACE_MB} MB`,
      rounds: 3,
      variants: [
        { name: "flood", run: () => this.#run(this.#size) },
        { name: "peace", run: () => this.#run({ ...this.#size, flood: 0 }) },
      ],
      figures: [
        both("memory of the engine before", "rss_before_mb", "MB"),
        both("… after", "rss_after_mb", "MB"),
        both("… at most", "rss_peak_mb", "MB"),
        both("what the window says", "memory_bytes", "bytes"),
        ...FLOOD_PARTS.map((part) => figure(`… ${part}`, `memory_${part}`, "bytes")),
        figure("of the true top 100 found", "recall_100", "%"),
        figure("of the true top 1,000 found", "recall_1000", "%"),
        figure("fingerprints known of, of those sent", "known_percent", "%"),
        figure("requests in the overflow", "overflow", ""),
        figure("fingerprints that had to leave", "evicted", ""),
        figure("requests a second, the sender on the other core", "requests_per_s", "1/s"),
      ],
      check: faults,
    };
  }

  async #run(size: typeof FULL): Promise<Sample> {
    const engine = await this.#workshop.start(NAME, { SITES: '{"shop":[]}', SHARDS: "1", TICK: "5s" });
    try {
      const shard = new FloodedShard(engine.port);
      await shard.summary();
      const before = engine.rssMb();
      const input: FloodInput = { port: engine.port, ...size };
      const { reqs, ms, refused, frames } = await runScript<FloodResult>("bench/processes/flood.ts", input);
      // Before the reading, which asks for far more at once than any reader may.
      const [after, peak] = [engine.rssMb(), engine.peakRssMb()];
      const sent = size.flood + size.real;
      return {
        ...{ sent, frames, refused_frames: refused, requests_per_s: (sent * 1_000) / ms },
        ...(before === undefined || after === undefined || peak === undefined
          ? {}
          : { rss_before_mb: before, rss_after_mb: after, rss_peak_mb: peak }),
        ...(await shard.read(reqs, size.flood)),
      };
    } finally {
      await engine.stop();
    }
  }
}

/** What must hold whatever the machine's speed. */
function faults(samples: Samples): string[] {
  return [...samples].flatMap(([name, runs]) =>
    runs.flatMap(({ sent, listed, overflow, refused_frames, accepted, hour, recall_100, recall_1000 }) => [
      ...(listed! + overflow! === sent
        ? []
        : [`${name}: ${listed} listed + ${overflow} overflow ≠ ${sent} sent`]),
      ...(hour === sent && accepted === sent && refused_frames === 0
        ? []
        : [`${name}: of ${sent} sent ${accepted} were accepted, ${hour} are in the hour`]),
      ...(recall_100! >= RECALL_100_MIN ? [] : [`${name}: recall of the top 100 is ${recall_100} %`]),
      ...(recall_1000! >= RECALL_1000_MIN ? [] : [`${name}: recall of the top 1,000 is ${recall_1000} %`]),
    ]),
  );
}
