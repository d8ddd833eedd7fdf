/** Numbers and times as people read them, in their own zone. */
const COUNT = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const PERCENT = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });
const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

const NONE = "–";

export function count(value: number | undefined): string {
  return value === undefined ? NONE : COUNT.format(value);
}

export function compact(value: number | undefined): string {
  return value === undefined ? NONE : COMPACT.format(value);
}

export function percent(value: number | undefined): string {
  return value === undefined ? NONE : PERCENT.format(value);
}

/** Time of day; with the date when it is not of today. */
export function when(iso: string, nowMs = Date.now()): string {
  const date = new Date(iso);
  const isToday = date.toDateString() === new Date(nowMs).toDateString();
  return isToday ? TIME.format(date) : DAY.format(date);
}

/** Date, time and zone: what a title says. */
export function moment(iso: string): string {
  return `${DAY.format(new Date(iso))} (${Intl.DateTimeFormat().resolvedOptions().timeZone})`;
}

/** `3 min`, `2 h`: how long something lasted. */
export function lasting(ms: number): string {
  if (ms < MINUTE_MS) return `${Math.max(Math.round(ms / 1_000), 0)} s`;
  if (ms < 2 * HOUR_MS) return `${Math.round(ms / MINUTE_MS)} min`;
  return ms < 2 * DAY_MS ? `${Math.round(ms / HOUR_MS)} h` : `${Math.round(ms / DAY_MS)} days`;
}

/** `rare_here_hot` → `rare here, hot` stays as the API calls it, with spaces. */
export function words(name: string): string {
  return name.replaceAll("_", " ");
}
