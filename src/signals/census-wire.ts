/**
 * What shard and Census tell each other. In the minutes of a deployment the other side may run older or newer code, so
 * whatever arrives is read as unknown: a form that this code does not know is the value `unknown_form`, never an error and
 * never a rank. Calls of the first form had other names (`report`, `rankReport`), so old code refuses these as a whole and
 * cannot take a report for an empty one.
 */

import { CountsError, decodeCounts, encodeCounts } from "../sketch/counts-codec.ts";
import type { SiteTotals } from "./blast-radius.ts";
import { type Pulse, readPulse } from "./pulse.ts";
import { ofRanked, RANKED, type RankCounts, type Ranked } from "./ranks.ts";

/** One encoded table each. */
export type RankTables = Record<Ranked, Uint8Array>;

interface ReportTimes {
  /** When the shard counted, ms. */
  asOfMs: number;
  /** When it counts again at the latest, if nothing comes in until then; absent = it is empty and sleeps. */
  nextMs?: number;
  /** Event time of its first request ever; absent = none yet. */
  firstDataMs?: number;
  /** Its hour in total; code of before does not tell it. */
  totals?: SiteTotals;
  /** What its part of the site does now; code of before does not tell it. */
  pulse?: Pulse;
  /** Of the tables: another one, another content. */
  revision: number;
}

export interface ShardReport extends ReportTimes {
  /** Absent = those of this revision, which the Census has. */
  tables?: RankTables;
}

export interface ReadReport extends ReportTimes {
  counts: RankCounts | undefined;
}

interface AnswerTimes {
  /** False while a shard was never heard of: its fingerprints are in no table, so every rank would be too good. */
  complete: boolean;
  /** Shards that were never heard of or are overdue; the last numbers of the overdue are in the tables for an hour. */
  missing: number[];
  /** Age of the oldest shard's numbers, ms since the epoch. */
  asOfMs: number;
  /** Event time of the site's first request; absent = none yet. */
  firstDataMs?: number;
  /** The shards' hours together; absent while one of them is not known. */
  totals?: SiteTotals;
  /** The shards' newest pulses, by shard; those of long ago are left out. */
  pulses?: [number, Pulse][];
  /** Of the merged tables: another one, another content. */
  revision: number;
}

export type CensusAnswer =
  | ({
      ok: true;
      /** Absent = incomplete, or those of this revision, which the shard has. */
      tables?: RankTables;
    } & AnswerTimes)
  /** `not_held`: the Census does not have the tables that a report without tables means. */
  | { ok: false; fault: "unknown_form" | "not_held" };

export type ReadAnswer = ({ ok: true; counts: RankCounts | undefined } & AnswerTimes) | "not_held";

export function encodeRankCounts(counts: RankCounts): RankTables {
  return ofRanked((ranked) => encodeCounts(counts[ranked]));
}

/** A report from anywhere. */
export function readShardReport(told: unknown): ReadReport | "unknown_form" {
  if (!isRecord(told)) return "unknown_form";
  const { asOfMs, nextMs, firstDataMs, revision } = told;
  const counts = readTables(told.tables);
  if (!isTime(asOfMs) || !isTime(revision) || counts === "unknown_form") return "unknown_form";
  if (!isTimeOrAbsent(nextMs) || !isTimeOrAbsent(firstDataMs)) return "unknown_form";
  return {
    asOfMs,
    revision,
    ...readTotals(told.totals),
    ...pulseIn(told.pulse),
    ...(nextMs === undefined ? {} : { nextMs }),
    ...(firstDataMs === undefined ? {} : { firstDataMs }),
    counts,
  };
}

/** An answer from anywhere. */
export function readCensusAnswer(told: unknown): ReadAnswer | "unknown_form" {
  if (!isRecord(told)) return "unknown_form";
  if (told.ok === false && told.fault === "not_held") return "not_held";
  const { ok, complete, missing, asOfMs, firstDataMs, revision } = told;
  const counts = readTables(told.tables);
  if (ok !== true || typeof complete !== "boolean" || counts === "unknown_form") return "unknown_form";
  if (!Array.isArray(missing) || !missing.every(Number.isSafeInteger)) return "unknown_form";
  if (!isTime(asOfMs) || !isTime(revision) || !isTimeOrAbsent(firstDataMs)) return "unknown_form";
  return {
    ok,
    complete,
    missing: missing as number[],
    asOfMs,
    revision,
    ...readTotals(told.totals),
    pulses: readPulses(told.pulses),
    ...(firstDataMs === undefined ? {} : { firstDataMs }),
    counts,
  };
}

function pulseIn(told: unknown): { pulse?: Pulse } {
  const pulse = readPulse(told);
  return pulse === undefined ? {} : { pulse };
}

/** What cannot be read is left out: ranks do not need it. */
function readPulses(told: unknown): [number, Pulse][] {
  if (!Array.isArray(told)) return [];
  return told.flatMap((entry: unknown) => {
    if (!Array.isArray(entry) || !Number.isSafeInteger(entry[0])) return [];
    const pulse = readPulse(entry[1]);
    return pulse === undefined ? [] : [[entry[0] as number, pulse] satisfies [number, Pulse]];
  });
}

/** `undefined` = no tables were sent. */
function readTables(told: unknown): RankCounts | undefined | "unknown_form" {
  if (told === undefined) return undefined;
  if (!isRecord(told)) return "unknown_form";
  const tables: Partial<RankCounts> = {};
  for (const ranked of RANKED) {
    const bytes = told[ranked];
    if (!(bytes instanceof Uint8Array)) return "unknown_form";
    try {
      tables[ranked] = decodeCounts(bytes);
    } catch (error) {
      if (error instanceof CountsError) return "unknown_form";
      throw error;
    }
  }
  return tables as RankCounts;
}

/** Totals in a form that this code does not know are as good as none: ranks do not need them. */
function readTotals(told: unknown): { totals?: SiteTotals } {
  if (!isRecord(told) || !isTime(told.reqs) || !isTime(told.browserReqs)) return {};
  return { totals: { reqs: told.reqs, browserReqs: told.browserReqs } };
}

function isRecord(told: unknown): told is Record<string, unknown> {
  return typeof told === "object" && told !== null;
}

/** Milliseconds since the epoch; a revision is one, too, and a count looks the same. */
function isTime(told: unknown): told is number {
  return Number.isSafeInteger(told) && (told as number) >= 0;
}

function isTimeOrAbsent(told: unknown): told is number | undefined {
  return told === undefined || isTime(told);
}
