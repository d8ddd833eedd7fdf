/** What a shard's tick costs, part by part: nothing else of the shard runs meanwhile. */
import type { Benchmark, Context, Figure, Samples, Series } from "../scripts/lib/bench/benchmark.ts";
import { runScript } from "../scripts/lib/bench/processes.ts";
import { THRESHOLDS } from "./lib/tick-thresholds.ts";
import type { TickInput, TickResult } from "./processes/tick.ts";

const FULL = { fingerprints: 50_000, inFull: 5_000, touched: 5_000, ticks: 24 };
const QUICK = { fingerprints: 5_000, inFull: 500, touched: 500, ticks: 12 };
/** ms; on a machine of our measurements, so a full run alone is held to it. */
const TICK_MAX_MS = 50;
/** Distinct counts are estimates past 256. */
const TOLERANCE = 0.03;

export const tick: Benchmark = {
  name: "tick",
  about: "a tick of a shard with 50,000 fingerprints: ranks, thresholds, detection, reads",
  open: async (context) => ({ series: [ticks(context)], close: async () => {} }),
};

function ticks({ quick }: Context): Series {
  const size = quick ? QUICK : FULL;
  const variant = (name: TickInput["variant"]) => ({
    name,
    run: () => runScript<TickResult>("bench/processes/tick.ts", { variant: name, ...size } as TickInput),
  });
  const own = (label: string, metric: string, unit = "ms"): Figure => {
    return { label, metric, unit, variant: "window" };
  };
  const both = (label: string, metric: string): Figure => ({ ...own(label, metric), against: "maps" });
  const count = (n: number) => n.toLocaleString("en-US");
  return {
    name: `${count(size.fingerprints)} fingerprints, ${count(size.inFull)} in full, ${count(size.touched)} touched a tick, in Node`,
    rounds: 5,
    variants: [variant("window"), variant("maps")],
    figures: [
      both("a tick: the hour's values of all, counted and encoded", "tick_ms"),
      own("… what came in is settled", "settle_ms"),
      own("… values of all", "values_ms"),
      own("… counted", "report_ms"),
      own("… encoded", "encode_ms"),
      both("turn of a minute: what left the hour is dropped", "turn_ms"),
      both("families of one part", "families_ms"),
      both("a page of 50 by requests of the hour", "list_reqs_ms"),
      both("a page of 50 by addresses of the hour", "list_ips_ms"),
      own("a page of 50 by requests of the minute", "list_reqs_1m_ms"),
      own("a page of 50 by addresses of the minute", "list_ips_1m_ms"),
      own("totals of a summary", "totals_ms"),
      own(`${THRESHOLDS.length} thresholds`, "thresholds_ms"),
      own("detection", "detect_ms"),
      own("fingerprints in full", "tracked", ""),
    ],
    check: (samples) => [...disagreements(samples), ...(quick ? [] : tooSlow(samples))],
  };
}

/** Both variants must hold the same hour, and nobody may have left. */
function disagreements(samples: Samples): string[] {
  const [ours, peer] = ["window", "maps"].map((name) => samples.get(name)?.[0] ?? {});
  const far = Math.abs(ours!.uas_sum! - peer!.uas_sum!) > peer!.uas_sum! * TOLERANCE;
  return [
    ...(ours!.reqs_sum === peer!.reqs_sum && ours!.live === peer!.live
      ? []
      : [
          `${ours!.reqs_sum} requests of ${ours!.live} fingerprints, ${peer!.reqs_sum} of ${peer!.live} in Maps`,
        ]),
    ...(far ? [`${ours!.uas_sum} user agents, ${peer!.uas_sum} in Maps`] : []),
    ...(ours!.evicted === 0 ? [] : [`${ours!.evicted} fingerprints had to leave`]),
  ];
}

function tooSlow(samples: Samples): string[] {
  const times = (samples.get("window") ?? []).map(({ tick_ms }) => tick_ms!);
  return Math.min(...times) <= TICK_MAX_MS ? [] : [`no tick took ${TICK_MAX_MS} ms or less`];
}
