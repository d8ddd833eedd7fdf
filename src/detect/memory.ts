/**
 * What detection keeps of a shard from tick to tick, beyond the hour of the windows: how strange each kind's tests usually
 * are, how many candidates they make, and what busy fingerprints usually do. Changed in place by `detect`; what is lost with it
 * is learned again, so it is kept on disk every few minutes and not in every tick.
 */
import type { ImageReader, ImageWriter } from "../base/image.ts";
import { ImageError, layoutOf } from "../base/image.ts";
import { MINUTE_MS } from "../config.ts";
import { minuteOf } from "../window/time.ts";
import { EpisodePool, type PoolState } from "./budget.ts";
import { arrivalsOf, type Bursts } from "./cohort.ts";
import { Habits } from "./habits.ts";
import { historyMinutes } from "./history.ts";
import { fitOffsets, type OffsetFit } from "./offsets.ts";
import { newTail, type TailState } from "./recalibration.ts";
import { BIN_MINUTES, SlowLevels } from "./slow.ts";
import { type Standing, standingOf } from "./standing.ts";
import { KINDS, type KindName, type Site, type Subject } from "./types.ts";

/** A minute is taken in when it ended so long ago: until then data may come late. */
const LATE_MS = MINUTE_MS / 2;
/** The offsets follow the hour, and their fit looks at everyone: a fifth of a tick when made each minute. */
const OFFSETS_EVERY_MINUTES = 5;
/** A fingerprint with so many requests in a minute is one whose days are worth knowing. */
const BUSY_MIN_REQS = 25;

const LAYOUT = layoutOf("detection", 1);

interface Numbers {
  learntMinute: number;
  bin: number;
  shapes: number[];
  tails: Partial<Record<KindName, TailState>>;
  pools: Partial<Record<KindName, PoolState>>;
}

export class Memory {
  readonly habits: Habits;
  readonly slow: SlowLevels;
  readonly #tails: Partial<Record<KindName, TailState>>;
  readonly #pools = new Map<KindName, EpisodePool>();
  #learntMinute: number;
  /** Of the hour, when it was last looked at. */
  fingerprints = 0;
  readonly #arrivals = newest(arrivalsOf);
  readonly #standing = newest(standingOf);
  readonly #offsets = newest((site) => fitOffsets(site.subjects()));

  constructor(
    habits = new Habits(),
    { learntMinute, bin, shapes, tails, pools }: Numbers = {
      learntMinute: 0,
      bin: 0,
      shapes: [],
      tails: {},
      pools: {},
    },
  ) {
    this.habits = habits;
    this.slow = new SlowLevels(habits, { bin, shapes });
    this.#tails = tails;
    this.#learntMinute = learntMinute;
    for (const kind of KINDS) this.#pools.set(kind, new EpisodePool(kind, pools[kind]));
  }

  tail(kind: KindName): TailState {
    this.#tails[kind] ??= newTail();
    return this.#tails[kind];
  }

  pool(kind: KindName): EpisodePool {
    return this.#pools.get(kind)!;
  }

  /** Where the site's fingerprints stand among each other, as of this minute. */
  standing(site: Site): Standing | undefined {
    return this.#standing(site, site.minuteNow);
  }

  /** The site's offsets against the world, as of these five minutes. */
  offsets(site: Site): OffsetFit {
    return this.#offsets(site, Math.floor(site.minuteNow / OFFSETS_EVERY_MINUTES));
  }

  /** What fingerprints bring when they come back, in minutes that are over. */
  arrivals(site: Site): Bursts {
    return this.#arrivals(site, site.minuteNow);
  }

  /** The newest minute that is over for good and was not taken in; `undefined` = none. */
  dueMinute(site: Site): number | undefined {
    const due = Math.floor((site.asOfMs - LATE_MS) / MINUTE_MS) - 1;
    return due > this.#learntMinute ? due : undefined;
  }

  /** Takes in everything up to `due`. `isAnomalous`: what a fingerprint does now is nothing to get used to. */
  learn(site: Site, due: number, isAnomalous: (ja4: string) => boolean): void {
    const minutes = historyMinutes(site, due + 1).filter((minute) => minute > this.#learntMinute);
    this.fingerprints = 0;
    for (const subject of site.subjects()) {
      this.fingerprints++;
      this.#learnMinutes(subject, minutes, isAnomalous);
    }
    this.#learntMinute = due;
    const ended = Math.floor((due + 1) / BIN_MINUTES) * BIN_MINUTES;
    this.slow.close(site, ended, isAnomalous);
  }

  #learnMinutes(subject: Subject, minutes: readonly number[], isAnomalous: (ja4: string) => boolean): void {
    const { habits } = this;
    const first = minuteOf(subject.firstSeenMs);
    let ja4: string | undefined;
    let slot: number | undefined;
    for (const minute of minutes) {
      const reqs = subject.reqs(minute);
      if (reqs === 0) continue;
      if (ja4 === undefined) {
        if (reqs < BUSY_MIN_REQS && habits.size === 0) continue;
        ja4 = subject.ja4;
        if (isAnomalous(ja4)) return;
        slot = habits.slot(ja4);
      }
      if (slot === undefined) {
        if (reqs < BUSY_MIN_REQS) continue;
        slot = habits.claim(ja4, Math.max(first, minutes[0]!) - 1);
        // What the windows still hold of it.
        for (const before of minutes) {
          if (before >= minute) break;
          if (subject.reqs(before) > 0) habits.learnMinute(slot, before, subject.reqs(before));
        }
      }
      habits.learnMinute(slot, minute, reqs);
    }
  }

  write(writer: ImageWriter): void {
    const pools: Numbers["pools"] = {};
    for (const [kind, pool] of this.#pools) pools[kind] = pool.state;
    const numbers: Numbers = {
      learntMinute: this.#learntMinute,
      bin: this.slow.bin,
      shapes: this.slow.shapes,
      tails: this.#tails,
      pools,
    };
    writer.section(LAYOUT);
    writer.bytes(new TextEncoder().encode(JSON.stringify(numbers)));
    this.habits.write(writer);
  }

  /** Throws an ImageError when it is none of this code's. */
  static read(reader: ImageReader): Memory {
    reader.section(LAYOUT);
    const text = new TextDecoder().decode(reader.bytes());
    let numbers: Numbers;
    try {
      numbers = JSON.parse(text) as Numbers;
    } catch {
      throw new ImageError("malformed");
    }
    return new Memory(Habits.read(reader), numbers);
  }
}

/** Remembers what was made for the newest minute, or stretch of them. */
function newest<T>(make: (site: Site) => T): (site: Site, time: number) => T {
  let held: { time: number; value: T } | undefined;
  return (site, time) => {
    if (held?.time !== time) held = { time, value: make(site) };
    return held.value;
  };
}
