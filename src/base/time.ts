/** Times on the outside: RFC 3339 UTC with milliseconds, and durations such as `30s`, `5m`, `1h`. */

/** `2026-11-23T10:00:00.000Z` of milliseconds since the epoch. */
export function rfc3339(ms: number): string {
  return new Date(ms).toISOString();
}

const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

/** Milliseconds of an RFC 3339 date-time, `undefined` when it is not one (RFC 3339 §5.6; no leap seconds). */
export function parseRfc3339(text: string): number | undefined {
  const parts = RFC3339.exec(text);
  if (parts === null) return undefined;
  const day = Number(parts[3]);
  // Date.parse rolls 30 February over to March; a day that does not exist is a mistake, not March.
  if (day > new Date(Date.UTC(Number(parts[1]), Number(parts[2]), 0)).getUTCDate()) return undefined;
  const ms = Date.parse(text.toUpperCase().replace(" ", "T"));
  return Number.isNaN(ms) ? undefined : ms;
}

const UNIT_MS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of a duration such as `0s`, `90s`, `5m`, `1h`, `7d`; `undefined` when it is not one. */
export function parseDuration(text: string): number | undefined {
  const parts = /^(\d{1,6})(s|m|h|d)$/.exec(text);
  return parts === null ? undefined : Number(parts[1]) * UNIT_MS[parts[2]!]!;
}
