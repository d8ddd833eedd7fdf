/** Rows of a user's series: `timestamp,value[,…]`, and what comes out of them. Pure. */
import { Series } from "../../../src/detect/series/series.ts";

export interface Point {
  atMs: number;
  value: number;
  expected?: number;
  low?: number;
  high?: number;
  alert: boolean;
}

/** What became of a line. */
export interface Answer {
  /** A row of output; absent = the line was none (a header, an empty line). */
  row?: string;
  /** Why the line tells nothing. */
  error?: string;
  point?: Point;
}

export const HEADER = "timestamp,value,expected,p,score,alert";
const TIME_NAMES = ["timestamp", "time", "date", "datetime", "ts"];
const VALUE_NAMES = ["value", "count", "requests", "y"];
/** Epoch times from here on are milliseconds: as seconds they would lie 3,000 years ahead. */
const EPOCH_MS_MIN = 1e11;

/** Fields of one line; quotes as in RFC 4180, a quoted field may hold commas and doubled quotes, no line break. */
export function fieldsOf(line: string): string[] {
  const fields: string[] = [];
  let field = "";
  let quoted = false;
  for (let i = 0; i < line.length; i++) {
    const char = line[i]!;
    if (quoted && char === '"' && line[i + 1] === '"') field += line[i++];
    else if (char === '"') quoted = !quoted;
    else if (char === "," && !quoted) {
      fields.push(field.trim());
      field = "";
    } else field += char;
  }
  return [...fields, field.trim()];
}

/** ISO 8601 (UTC where it names no zone), or seconds or milliseconds since the epoch; `undefined` = neither. */
export function timeOf(text: string): number | undefined {
  if (/^-?\d+(\.\d+)?$/.test(text)) {
    const number = Number(text);
    return Math.abs(number) >= EPOCH_MS_MIN ? number : number * 1_000;
  }
  if (!/^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?\s*(Z|UTC|[+-]\d{2}:?\d{2})?$/i.test(text))
    return undefined;
  const zoned = /(Z|[+-]\d{2}:?\d{2})$/i.test(text.slice(10)) ? text : `${text.replace(/\s*UTC$/i, "")}Z`;
  const ms = Date.parse(zoned.replace(" ", "T").replace(/^(\d{4}-\d{2}-\d{2})Z$/, "$1T00:00Z"));
  return Number.isNaN(ms) ? undefined : ms;
}

/** Judges a series line by line: each answer rests on the lines before it alone. */
export class Backtest {
  readonly #series: Series;
  #columns = { time: 0, value: 1 };
  #isFirst = true;
  #lastMs = Number.NEGATIVE_INFINITY;
  /** Rows whose time was not after the one before. */
  backwards = 0;

  /** `budgetPerDay`: alerts that a quiet day should have at most. */
  constructor(budgetPerDay: number) {
    this.#series = new Series(budgetPerDay);
  }

  line(text: string): Answer {
    if (text.trim() === "") return {};
    const fields = fieldsOf(text);
    if (this.#isFirst) {
      this.#isFirst = false;
      if (timeOf(fields[0] ?? "") === undefined && this.#readHeader(fields)) return {};
    }
    const time = fields[this.#columns.time] ?? "";
    const value = fields[this.#columns.value] ?? "";
    const blank = (error?: string): Answer => {
      const row = `${quoted(time)},${quoted(value)},,,,0`;
      return error === undefined ? { row } : { row, error };
    };
    const atMs = timeOf(time);
    if (atMs === undefined) return blank(`not a time: ${JSON.stringify(time)}`);
    // A bin that was not measured: unknown, not zero.
    if (value === "" || /^(nan|null|na)$/i.test(value)) return blank();
    const number = Number(value);
    if (!Number.isFinite(number)) return blank(`not a number: ${JSON.stringify(value)}`);
    // Clocks are set back, logs repeat a bin: it is still the next one that was seen.
    if (atMs <= this.#lastMs) this.backwards++;
    this.#lastMs = Math.max(atMs, this.#lastMs);
    const { expected, low, high, p, score, alert } = this.#series.next(this.#lastMs, number);
    const told = [expected === undefined ? "" : tidy(expected, 6), tidy(p, 4), tidy(score, 5), alert ? 1 : 0];
    return {
      row: [quoted(time), quoted(value), ...told].join(","),
      point: {
        atMs,
        value: number,
        alert,
        ...(expected === undefined || low === undefined || high === undefined ? {} : { expected, low, high }),
      },
    };
  }

  /** Whether the first line is a header: then the columns are found by their names, or are the first two. */
  #readHeader(fields: readonly string[]): boolean {
    if (fields.length < 2) return false;
    const find = (names: readonly string[]) =>
      fields.findIndex((field) => names.includes(field.replace(/^\uFEFF/, "").toLowerCase()));
    const [time, value] = [find(TIME_NAMES), find(VALUE_NAMES)];
    if (time >= 0 && value >= 0) this.#columns = { time, value };
    return true;
  }
}

function tidy(value: number, digits: number): number {
  return Number(value.toPrecision(digits));
}

function quoted(field: string): string {
  return /[",\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}
