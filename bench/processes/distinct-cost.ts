/** What one way of counting costs in time and memory. Needs --expose-gc. Prints a DistinctCostResult. */
import { median } from "../../scripts/lib/bench/stats.ts";
import { WINDOWS, type WindowName } from "../../src/config.ts";
import { Distincts } from "../../src/sketch/distincts.ts";
import { type Counter, type CounterName, counterOf, NO_SET } from "../lib/distinct-counters.ts";
import { FIRST_SLOT, hashOf, NOW_SLOT, SINCE, slotOf } from "../lib/distinct-streams.ts";

export interface DistinctCostInput {
  readonly variant: CounterName;
  /** Adds that are timed in each way. */
  readonly adds: number;
  /** Identities of the large set. */
  readonly large: number;
}

export interface DistinctCostResult {
  readonly add_large_ns: number;
  readonly add_small_ns: number;
  readonly add_new_ns: number;
  readonly add_spread_ns: number;
  readonly estimate_1m_us: number;
  readonly estimate_5m_us: number;
  readonly estimate_1h_us: number;
  readonly bytes_10: number;
  readonly bytes_100: number;
  readonly bytes_1000: number;
  readonly bytes_large: number;
  /** Of ours only: a set's block, without gaps and slack. */
  readonly block_10?: number;
  readonly block_100?: number;
  readonly block_1000?: number;
  readonly block_large?: number;
}

const SMALL = 100;
/** Sets that do not fit the CPU's first cache together, with 20 identities each. */
const SPREAD_SETS = 5_000;
const SPREAD_SIZE = 20;
/** Of one window; the first half for warming up. */
const ESTIMATES = 100;
/** Sets measured for their memory at once: so many that what else the process holds is nothing. */
const MEMORY_IDENTITIES = 400_000;

const input = JSON.parse(process.argv[2] ?? "") as DistinctCostInput;

/** Adds identities `from` to `from + count`; answers the set. */
function fill(counter: Counter, set: number, from: number, count: number, slot: number): number {
  let filled = set;
  for (let i = from; i < from + count; i++) filled = counter.add(filled, hashOf(i), slot);
  return filled;
}

/** Nanoseconds an add: the median of stretches of `size` adds, the first fifth for warming up. */
function perAdd(size: number, stretch: () => void): number {
  const rounds = Math.max(Math.ceil(input.adds / size), 10);
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const from = process.hrtime.bigint();
    stretch();
    times.push(Number(process.hrtime.bigint() - from) / size);
  }
  return median(times.slice(Math.floor(rounds / 5)));
}

/** Bytes a set of so many identities takes, of `sets` alike. */
async function bytesEach(identities: number, sets: number): Promise<number> {
  const collect = globalThis.gc;
  if (collect === undefined) throw new Error("needs --expose-gc");
  const used = async () => {
    // Buffers are given back behind the collection: after a turn of the loop the next one finds them gone.
    collect();
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const before = await used();
  const counter = counterOf(input.variant);
  let last = NO_SET;
  for (let set = 0; set < sets; set++) last = fill(counter, NO_SET, set * identities, identities, FIRST_SLOT);
  const bytes = ((await used()) - before) / sets;
  // Keeps the counter alive until here.
  if (counter.count(last, FIRST_SLOT, FIRST_SLOT) === 0) throw new Error("the counter counts nothing");
  return bytes;
}

// Memory first, while nothing else has been made that a collection could take away meanwhile.
const memory = {
  bytes_10: await bytesEach(10, MEMORY_IDENTITIES / 100),
  bytes_100: await bytesEach(100, MEMORY_IDENTITIES / 100),
  bytes_1000: await bytesEach(1_000, MEMORY_IDENTITIES / 1_000),
  bytes_large: await bytesEach(input.large, 8),
};

function blocks(): Partial<DistinctCostResult> {
  const sets = new Distincts();
  const block = (identities: number) => sets.bytesOf(fill(sets, NO_SET, 0, identities, FIRST_SLOT));
  return {
    block_10: block(10),
    block_100: block(100),
    block_1000: block(1_000),
    block_large: block(input.large),
  };
}

const counter = counterOf(input.variant);
let large = NO_SET;
for (let i = 0; i < input.large; i++) large = counter.add(large, hashOf(i), slotOf("steady", i, input.large));

function estimateUs(window: WindowName): number {
  const since = SINCE[WINDOWS.indexOf(window)]!;
  const times = Array.from({ length: ESTIMATES }, () => {
    const from = process.hrtime.bigint();
    counter.count(large, since, NOW_SLOT);
    return Number(process.hrtime.bigint() - from) / 1_000;
  });
  return median(times.slice(ESTIMATES / 2));
}

const small = fill(counter, NO_SET, 0, SMALL, NOW_SLOT);
const spread = Array.from({ length: SPREAD_SETS }, (_, set) =>
  fill(counter, NO_SET, set * SPREAD_SIZE, SPREAD_SIZE, NOW_SLOT),
);
let next = 0;
const result: DistinctCostResult = {
  add_large_ns: perAdd(10_000, () => {
    next = (next + 10_000) % input.large;
    large = fill(counter, large, next, 10_000, NOW_SLOT);
  }),
  add_small_ns: perAdd(SMALL * 20, () => {
    for (let i = 0; i < 20; i++) fill(counter, small, 0, SMALL, NOW_SLOT);
  }),
  add_new_ns: perAdd(SMALL * 20, () => {
    const fresh = counterOf(input.variant);
    for (let i = 0; i < 20; i++) fill(fresh, NO_SET, i * SMALL, SMALL, NOW_SLOT);
  }),
  add_spread_ns: perAdd(SPREAD_SETS, () => {
    next = (next + 7) % SPREAD_SIZE;
    for (let i = 0; i < SPREAD_SETS; i++)
      spread[i] = counter.add(spread[i]!, hashOf(i * SPREAD_SIZE + next), NOW_SLOT);
  }),
  estimate_1m_us: estimateUs("1m"),
  estimate_5m_us: estimateUs("5m"),
  estimate_1h_us: estimateUs("1h"),
  ...memory,
  ...(input.variant === "hellotide" ? blocks() : {}),
};
process.stdout.write(JSON.stringify(result));
