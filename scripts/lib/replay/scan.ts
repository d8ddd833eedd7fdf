/** The first of two passes over the log: what is in it, when it begins and ends, and a hash that knows it again. */
import { createHash } from "node:crypto";
import { Failure } from "../failure.ts";
import { type Format, guessFormat, PARSERS, SAMPLE_LINES } from "./format.ts";
import { type Line, type LogFile, openLog, readLines } from "./lines.ts";
import type { LogRecord, Parsed } from "./record.ts";

/** Where a line stands, to name it. */
export interface Place {
  readonly file: string;
  readonly line: number;
}

export interface Source {
  readonly file: LogFile;
  readonly format: Format;
}

export interface Scan {
  readonly sources: readonly Source[];
  /** SHA-256 over the formats and contents of all files, hex. */
  readonly digest: string;
  readonly lines: number;
  readonly blank: number;
  readonly skipped: number;
  readonly unreadable: number;
  /** The first FAULTS_SHOWN_MAX unreadable lines. */
  readonly faults: readonly { readonly place: Place; readonly why: string }[];
  readonly records: number;
  readonly withJa4: number;
  readonly oldestMs: number;
  readonly newestMs: number;
}

const FAULTS_SHOWN_MAX = 10;

export async function scanLog(
  paths: readonly string[],
  format: Format | undefined,
  signal: AbortSignal,
): Promise<Scan> {
  const sources: Source[] = [];
  for (const path of paths) {
    const file = await openLog(path);
    sources.push({ file, format: format ?? (await guess(file)) });
  }
  const hash = createHash("sha256");
  const counts = { lines: 0, blank: 0, skipped: 0, unreadable: 0, records: 0, withJa4: 0 };
  const faults: { place: Place; why: string }[] = [];
  let oldestMs = Number.POSITIVE_INFINITY;
  let newestMs = Number.NEGATIVE_INFINITY;
  for (const source of sources) {
    hash.update(`${source.format} ${source.file.bytes}\n`);
    for await (const lines of readLines(source.file, (bytes) => hash.update(bytes))) {
      signal.throwIfAborted();
      for (const line of lines) {
        counts.lines++;
        const parsed = parseLine(source, line);
        if (parsed === undefined) counts.blank++;
        else if ("skipped" in parsed) counts.skipped++;
        else if ("fault" in parsed) {
          counts.unreadable++;
          const place = { file: source.file.path, line: line.number };
          if (faults.length < FAULTS_SHOWN_MAX) faults.push({ place, why: parsed.fault });
        } else {
          counts.records++;
          if (hasJa4(parsed.record)) counts.withJa4++;
          oldestMs = Math.min(oldestMs, parsed.record.timeMs);
          newestMs = Math.max(newestMs, parsed.record.timeMs);
        }
      }
    }
  }
  return { sources, digest: hash.digest("hex"), ...counts, faults, oldestMs, newestMs };
}

/** `undefined` for a blank line. */
export function parseLine({ format }: Source, { text }: Line): Parsed | undefined {
  if (text === undefined) return { fault: "longer than 1 MiB" };
  return text.trim() === "" ? undefined : PARSERS[format](text);
}

export function hasJa4({ fields }: LogRecord): boolean {
  return fields.ja4 !== undefined && fields.ja4 !== null && fields.ja4 !== "";
}

async function guess(file: LogFile): Promise<Format> {
  const sample: string[] = [];
  for await (const lines of readLines(file)) {
    for (const { text } of lines) if (text !== undefined && text.trim() !== "") sample.push(text);
    if (sample.length >= SAMPLE_LINES) break;
  }
  const format = guessFormat(sample.slice(0, SAMPLE_LINES));
  // An empty log is no mistake: rotation makes them.
  if (format === undefined && sample.length === 0) return "combined";
  if (format === undefined)
    throw new Failure(`${file.path}: its format was not recognised; give --format`, 2);
  return format;
}
