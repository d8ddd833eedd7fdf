/**
 * The ticks of a shard after an hour of traffic, part by part, and reads between them. `window` is the product, `maps` does
 * the same from plain Maps. Prints a TickResult.
 */
import { median } from "../../scripts/lib/bench/stats.ts";
import { HOUR_MS, MINUTE_MS, SECOND_MS, SLOT_MS } from "../../src/config.ts";
import { IDENTITIES } from "../../src/wire/frame.ts";
import { flagsOf, hashOf, type Observer } from "../lib/made-traffic.ts";
import { generator } from "../lib/random.ts";
import { PlainShard } from "../lib/tick-maps.ts";
import { WindowShard } from "../lib/tick-window.ts";

export interface TickInput {
  readonly variant: "window" | "maps";
  readonly fingerprints: number;
  /** Fingerprints with more requests than a shard keeps as rows. */
  readonly inFull: number;
  /** Fingerprints with requests between two ticks. */
  readonly touched: number;
  readonly ticks: number;
}

/** Medians over the ticks, ms; `…_sum` are the same for every variant. */
export type TickResult = Readonly<Record<string, number>>;

/** One shard of either kind. Answers the ms of each part. */
export interface TickedShard extends Observer {
  flush(): void;
  tick(nowMs: number): Record<string, number>;
  /** What a tick at the turn of a minute does on top. */
  turn(nowMs: number): Record<string, number>;
  reads(nowMs: number): Record<string, number>;
  /** Requests and user agents of the hour over all fingerprints, and what else is worth knowing. */
  sums(): Record<string, number>;
}

/** A multiple of the minute. */
const START_MS = 1_763_899_200_000;
const TICK_MS = 5 * SECOND_MS;
const SEED = 20_261_125;
/** Ticks before those that are measured. */
const WARM_UP = 12;
/** Requests of the hour of the first that is not in full: the next smaller number would fit its rows. */
const IN_FULL_REQS = 17;
const ZIPF_EXPONENT = 1.3;
const REQS_MAX = 50_000;

const input = JSON.parse(process.argv[2] ?? "") as TickInput;
const random = generator(SEED);
const below = (limit: number) => Math.floor(random() * limit);
const values = new Uint32Array(IDENTITIES.length);

/** Requests of the hour by rank. */
function reqsOf(rank: number): number {
  const zipf = IN_FULL_REQS * ((rank + 1) / input.inFull) ** -ZIPF_EXPONENT;
  return Math.min(Math.max(Math.floor(zipf), 1), REQS_MAX);
}

/** Values that a fingerprint's requests are drawn from: addresses grow nearly with them, agents hardly. */
function poolsOf(reqs: number): number[] {
  const grown = (power: number) => Math.ceil(reqs ** power);
  return [grown(0.8), grown(0.25), grown(0.5), Math.min(3, reqs), grown(0.4)];
}

const reqs = Uint32Array.from({ length: input.fingerprints }, (_, rank) => reqsOf(rank));
const pools = Array.from(reqs, poolsOf);

function observe(observer: Observer, fp: number, ms: number): void {
  for (let i = 0; i < values.length; i++) values[i] = hashOf(fp, i, below(pools[fp]![i]!));
  observer.observe(fp, ms, flagsOf(fp, below(1_000)), values);
}

/** The hour up to START_MS, slot by slot, each fingerprint's requests evenly over it. */
function fill(observer: Observer): void {
  const slots = HOUR_MS / SLOT_MS;
  const phase = Float64Array.from(reqs, random);
  for (let slot = 0; slot < slots; slot++) {
    const ms = START_MS - HOUR_MS + slot * SLOT_MS + 1;
    for (let fp = 0; fp < reqs.length; fp++) {
      const each = reqs[fp]! / slots;
      const upTo = Math.floor((slot + 1) * each + phase[fp]!);
      for (let n = Math.floor(slot * each + phase[fp]!); n < upTo; n++) observe(observer, fp, ms);
    }
  }
}

/** What comes in between two ticks: half of the fingerprints that it touches are in full, some of those several times. */
function traffic(observer: Observer, untilMs: number): void {
  const half = Math.floor(input.touched / 2);
  const drawn = new Set<number>();
  while (drawn.size < half) drawn.add(below(input.inFull));
  while (drawn.size < input.touched) drawn.add(input.inFull + below(input.fingerprints - input.inFull));
  let i = 0;
  for (const fp of drawn) {
    const ms = untilMs - TICK_MS + 1 + Math.floor((i++ * (TICK_MS - 2)) / drawn.size);
    for (let n = fp < input.inFull ? 1 + below(4) : 1; n > 0; n--) observe(observer, fp, ms);
  }
}

class Times {
  readonly #all = new Map<string, number[]>();

  note(parts: Record<string, number>): void {
    for (const [name, ms] of Object.entries(parts)) {
      const times = this.#all.get(name);
      if (times === undefined) this.#all.set(name, [ms]);
      else times.push(ms);
    }
  }

  medians(): Record<string, number> {
    return Object.fromEntries([...this.#all].map(([name, times]) => [name, median(times)]));
  }
}

const shard: TickedShard =
  input.variant === "window" ? new WindowShard(input.fingerprints) : new PlainShard();
fill(shard);
shard.flush();
const times = new Times();
for (let tick = 1; tick <= WARM_UP + input.ticks; tick++) {
  const nowMs = START_MS + tick * TICK_MS;
  traffic(shard, nowMs);
  shard.flush();
  const turn = nowMs % MINUTE_MS === 0 ? shard.turn(nowMs) : {};
  const parts = { ...turn, ...shard.tick(nowMs), ...shard.reads(nowMs) };
  if (tick > WARM_UP) times.note(parts);
}
process.stdout.write(JSON.stringify({ ...times.medians(), ...shard.sums() } satisfies TickResult));
