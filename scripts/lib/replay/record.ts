/** What one line of a log is. */

/** One request: when, and the other fields of an observation (contract §3). */
export interface LogRecord {
  readonly timeMs: number;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A record, or why there is none: `skipped` lines are understood and do not count as requests. */
export type Parsed =
  | { readonly record: LogRecord }
  | { readonly skipped: string }
  | { readonly fault: string };

export type LineParser = (text: string) => Parsed;

/** The path of a request target: no query, no fragment. */
export function pathOf(target: string): string {
  const end = target.search(/[?#]/);
  return end < 0 ? target : target.slice(0, end);
}

/** Without the fields that are absent: logs write `-` where they know nothing. */
export function known(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined && value !== null && value !== "" && value !== "-") kept[name] = value;
  }
  return kept;
}
