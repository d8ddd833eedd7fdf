/**
 * Shapes of real counts, for a background that no detector was made for: blocks out of labelled series of counts
 * (`TimeStamp,Value,Label`), of which only runs of bins without a label or a gap are taken, quiet as far as their owners know.
 * The files are not part of this project; without them the background is the simulator's alone.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { BACKGROUND } from "../../../evaluation/parameters.ts";
import { HOUR_MS, MINUTE_MS } from "../../../src/config.ts";
import type { Dice } from "./dice.ts";

interface Run {
  binMinutes: number;
  firstHour: number;
  /** Counts over their series' mean. */
  levels: Float64Array;
}

interface Runs {
  all: Run[];
  hourly: Run[];
  minutes: Run[];
}

const DAY_HOURS = 24;
const HOUR_MINUTES = 60;
/** Shorter runs hold no block. */
const RUN_MIN_BINS = 24;
/** A series that is nearly always 0 has no shape to lend. */
const ZEROS_MAX = 0.9;

/** One series of a folder: bins in order, `undefined` where a label or nothing stands. */
function runsOf(text: string): Run[] {
  const bins = text
    .trim()
    .split(/\r?\n/)
    .slice(1)
    .map((line) => {
      const [time = "", value = "", label = ""] = line.replaceAll('"', "").split(",");
      const atMs = Date.parse(time.endsWith("Z") ? time : `${time.replace(" ", "T")}Z`);
      return { atMs, count: Number(value), isQuiet: value !== "" && Number(label) === 0 };
    });
  const stepMs = (bins[1]?.atMs ?? 0) - (bins[0]?.atMs ?? 0);
  const quiet = bins.filter(({ isQuiet }) => isQuiet);
  const mean = quiet.reduce((sum, { count }) => sum + count, 0) / quiet.length;
  if (quiet.filter(({ count }) => count === 0).length > ZEROS_MAX * quiet.length) return [];
  const runs: { startMs: number; counts: number[] }[] = [];
  let beforeMs = Number.NEGATIVE_INFINITY;
  for (const { atMs, count } of quiet) {
    if (atMs - beforeMs !== stepMs) runs.push({ startMs: atMs, counts: [] });
    runs.at(-1)!.counts.push(count / mean);
    beforeMs = atMs;
  }
  return runs
    .filter(({ counts }) => counts.length >= RUN_MIN_BINS)
    .map(({ startMs, counts }) => ({
      binMinutes: stepMs / MINUTE_MS,
      firstHour: Math.floor(startMs / HOUR_MS) % DAY_HOURS,
      levels: Float64Array.from(counts),
    }));
}

let read: Runs | undefined;

/** Reads the series of a folder; answers whether there are any to draw from. */
export function readRealCounts(folder: string): boolean {
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith(".csv")) : [];
  const all = files.sort().flatMap((file) => runsOf(readFileSync(join(folder, file), "utf8")));
  const hourly = all.filter(
    ({ binMinutes, levels }) => binMinutes === HOUR_MINUTES && levels.length > DAY_HOURS + 1,
  );
  const minutes = all.filter(({ binMinutes }) => binMinutes === 1);
  read = hourly.length > 0 && minutes.length > 0 ? { all, hourly, minutes } : undefined;
  return read !== undefined;
}

export function hasRealCounts(): boolean {
  return read !== undefined;
}

function runs(): Runs {
  if (read === undefined) throw new Error("no real counts were read");
  return read;
}

/** A place in a run, each bin of the suitable runs as likely as any other. */
function placeIn(choice: readonly Run[], block: number, dice: Dice): { run: Run; at: number } {
  const room = (run: Run) => Math.max(run.levels.length - block, 0) + 1;
  const run = dice.weighted(choice.map((one) => [one, room(one)] as const));
  return { run, at: dice.int(room(run)) };
}

/** The level of one fingerprint, minute by minute: what its usual rate is multiplied by. */
export class RealLevel {
  readonly #dice: Dice;
  readonly #hourly: boolean;
  #run: Run | undefined;
  #at = 0;
  #texture: { run: Run; at: number; mean: number } | undefined;
  #next = Number.NEGATIVE_INFINITY;
  #day = Number.NEGATIVE_INFINITY;

  constructor(dice: Dice) {
    this.#dice = dice;
    this.#hourly = dice.chance(BACKGROUND.bootstrap.hourlyShare);
  }

  /** To be asked for rising minutes. */
  at(minute: number): number {
    const level = this.#hourly ? this.#byHours(minute) : this.#byBins(minute);
    return Math.min(level, BACKGROUND.bootstrap.multiplierMax);
  }

  /** A block of bins, each taken as a minute. */
  #byBins(minute: number): number {
    const block = BACKGROUND.bootstrap.binBlockMinutes;
    if (minute >= this.#next) {
      const { run, at } = placeIn(runs().all, block, this.#dice);
      this.#run = run;
      this.#at = at;
      this.#next = minute + Math.min(block, run.levels.length - at);
    }
    return this.#run!.levels[this.#at++]!;
  }

  /** A day of an hourly series at the same hours of the day, with the texture of real minutes. */
  #byHours(minute: number): number {
    const day = Math.floor(minute / (DAY_HOURS * HOUR_MINUTES));
    if (day !== this.#day) {
      const { run, at } = placeIn(runs().hourly, DAY_HOURS + 1, this.#dice);
      const last = run.levels.length - DAY_HOURS - 1;
      // The first hour of a day within the run, at or before the place that was drawn where there is one.
      const midnight = (DAY_HOURS - run.firstHour) % DAY_HOURS;
      const days = Math.max(Math.floor((at - midnight) / DAY_HOURS), 0);
      this.#run = run;
      this.#at = Math.min(midnight + days * DAY_HOURS, last);
      this.#day = day;
    }
    const hours = (minute - day * DAY_HOURS * HOUR_MINUTES) / HOUR_MINUTES;
    const low = this.#at + Math.floor(hours);
    const { levels } = this.#run!;
    const level = levels[low]! + (levels[Math.min(low + 1, levels.length - 1)]! - levels[low]!) * (hours % 1);
    return level * this.#textureAt(minute);
  }

  #textureAt(minute: number): number {
    const block = BACKGROUND.bootstrap.textureBlockMinutes;
    if (minute >= this.#next || this.#texture === undefined) {
      const { run, at } = placeIn(runs().minutes, block, this.#dice);
      const part = run.levels.subarray(at, at + block);
      this.#texture = { run, at, mean: part.reduce((sum, level) => sum + level, 0) / part.length };
      this.#next = minute + part.length;
    }
    const texture = this.#texture;
    return texture.run.levels[texture.at++]! / (texture.mean || 1);
  }
}
