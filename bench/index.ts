/** All benchmarks, in the order in which `npm run bench` runs them. */
import type { Benchmark } from "../scripts/lib/bench/benchmark.ts";
import { dashboard } from "./dashboard.ts";
import { distinct } from "./distinct.ts";
import { edge } from "./edge.ts";
import { failOpen } from "./fail-open.ts";
import { features } from "./features.ts";
import { feed } from "./feed.ts";
import { frame } from "./frame.ts";
import { ingest } from "./ingest.ts";
import { logpush } from "./logpush.ts";
import { memory } from "./memory.ts";
import { rank } from "./rank.ts";
import { rest } from "./rest.ts";
import { restart } from "./restart.ts";
import { rows } from "./rows.ts";
import { tick } from "./tick.ts";

export const BENCHMARKS: readonly Benchmark[] = [
  dashboard,
  distinct,
  edge,
  failOpen,
  features,
  feed,
  frame,
  ingest,
  logpush,
  memory,
  rank,
  rest,
  restart,
  rows,
  tick,
];
