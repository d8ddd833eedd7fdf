/**
 * The independent oracle: a brute-force count over all observations ever sent, with the rules read from the
 * contract's page alone. It knows nothing of slots, sketches or shards; it takes a window's (`from`, `as_of`]
 * from the answer it checks and counts again.
 */
import { isbot } from "isbot";
import { nullsIn, TIME_PATTERN } from "./client.ts";
import type { FullForm, WindowName } from "./oracle-forms.ts";
import type { Observation } from "./oracle-traffic.ts";

export const WINDOWS: readonly WindowName[] = ["1m", "5m", "1h"];

/** How long a window may be (seconds), and how much wider its distinct counts may reach back. */
const WINDOW_RULES: Readonly<Record<WindowName, { min: number; max: number; distinctSlack: number }>> = {
  "1m": { min: 60, max: 65, distinctSlack: 20 },
  "5m": { min: 300, max: 305, distinctSlack: 20 },
  "1h": { min: 3_600, max: 3_660, distinctSlack: 60 },
};

const DISTINCT_COUNTS = ["ips", "uas", "paths", "asns", "hosts"] as const;
type Distinct = (typeof DISTINCT_COUNTS)[number];
const RATIOS = [
  "h2h3_ratio",
  "heuristic_ratio",
  "browser_ratio",
  "bot_ratio",
  "cache_ratio",
  "error_ratio",
] as const;
type Ratio = (typeof RATIOS)[number];

/** Distinct counts are exact up to here; above, a standard error of 3 %, of which four are allowed each. */
const DISTINCT_EXACT_MAX = 256;
const DISTINCT_ERROR_MAX = 4 * 0.03;

export function timeOf(observation: Observation): number {
  return typeof observation.timestamp === "number"
    ? observation.timestamp
    : Date.parse(observation.timestamp);
}

function present<T>(value: T | null | undefined | ""): value is T {
  return value !== undefined && value !== null && value !== "";
}

// ── one observation's facts: true, false, or unknown ────────────────────────────────────────────────

const CACHEABLE = new Set("hit miss expired updating stale revalidated stream_hit deferred".split(" "));
const NOT_CACHEABLE = new Set(["dynamic", "bypass", "ignored"]);
const HTTP_1 = new Set(["http/1.0", "http/1.1"]);
const HTTP_2_OR_3 = new Set(["http/2", "http/2.0", "http/3", "http/3.0"]);

type Fact = boolean | undefined;

function member(value: string | null | undefined, yes: Set<string>, no: Set<string>): Fact {
  if (!present(value)) return undefined;
  if (yes.has(value.toLowerCase())) return true;
  return no.has(value.toLowerCase()) ? false : undefined;
}

function isHeuristic(observation: Observation): Fact {
  const source = observation.bot_score_src;
  if (present(source) && source.toLowerCase() !== "not computed")
    return source.toLowerCase() === "heuristics";
  const ids = observation.detection_ids;
  return present(ids) ? Array.isArray(ids) && ids.length > 0 : undefined;
}

function isBrowser(observation: Observation): Fact {
  const agent = observation.user_agent;
  if (!present(agent)) return undefined;
  const engine = /Gecko|AppleWebKit|Trident/.test(agent);
  const family = /Chrome\/|Firefox\/|Version\/[\d.]+ .*Safari\/|Edg\/|Trident/.test(agent);
  return agent.includes("Mozilla/5.0") && engine && family && !isbot(agent);
}

function isBot(observation: Observation): Fact {
  if (present(observation.verified_bot)) return observation.verified_bot;
  return present(observation.user_agent) ? isbot(observation.user_agent) : undefined;
}

const FACTS: Readonly<Record<Ratio, (observation: Observation) => Fact>> = {
  h2h3_ratio: (o) => member(o.http_protocol, HTTP_2_OR_3, HTTP_1),
  heuristic_ratio: isHeuristic,
  browser_ratio: isBrowser,
  bot_ratio: isBot,
  cache_ratio: (o) => member(o.cache_status, CACHEABLE, NOT_CACHEABLE),
  error_ratio: (o) => (present(o.status) ? o.status >= 400 : undefined),
};

export function expectedRatio(observations: readonly Observation[], ratio: Ratio): number | undefined {
  const facts = observations.map(FACTS[ratio]).filter((fact) => fact !== undefined);
  return facts.length === 0 ? undefined : facts.filter((fact) => fact).length / facts.length;
}

/** IPv4 counts by address, IPv6 by /64; written for the generator's spellings, all with four full groups first. */
function networkOf(ip: string): string {
  if (!ip.includes(":")) return ip;
  const groups = ip.split(":").slice(0, 4);
  return groups.map((group) => Number.parseInt(group, 16).toString(16)).join(":");
}

const IDENTITIES: Readonly<Record<Distinct, (observation: Observation) => string | undefined>> = {
  ips: (o) => (present(o.client_ip) ? networkOf(o.client_ip) : undefined),
  uas: (o) => (present(o.user_agent) ? o.user_agent : undefined),
  paths: (o) => (present(o.path) ? o.path : undefined),
  asns: (o) => (present(o.asn) ? String(o.asn) : undefined),
  hosts: (o) => (present(o.host) ? o.host : undefined),
};

export function expectedDistinct(observations: readonly Observation[], kind: Distinct): number {
  return new Set(observations.map(IDENTITIES[kind]).filter((id) => id !== undefined)).size;
}

export function between(observations: readonly Observation[], from: number, to: number): Observation[] {
  return observations.filter((one) => timeOf(one) > from && timeOf(one) <= to);
}

// ── checking a full form ────────────────────────────────────────────────────────────────────────────

const RATIO_TOLERANCE = 1e-9;

function same(actual: unknown, expected: number | undefined): boolean {
  if (expected === undefined) return actual === undefined;
  return typeof actual === "number" && Math.abs(actual - expected) <= RATIO_TOLERANCE;
}

/** Everything of the full form that follows from this fingerprint's own observations; one line a fault. */
export function formFaults(form: FullForm, own: readonly Observation[]): string[] {
  const faults = nullsIn(form).map((at) => `null at ${at}`);
  for (const field of ["as_of", "first_seen", "last_seen"] as const) {
    if (!TIME_PATTERN.test(form[field])) faults.push(`${field} ${form[field]}`);
  }
  if (form.partial !== undefined) faults.push(`partial ${JSON.stringify(form.partial)}`);
  for (const name of WINDOWS) faults.push(...windowFaults(form, name, own));
  faults.push(...localFaults(form), ...seenFaults(form, own));
  return faults.map((fault) => `${form.ja4}: ${fault}`);
}

function windowFaults(form: FullForm, name: WindowName, own: readonly Observation[]): string[] {
  const window = form.windows[name];
  if (!TIME_PATTERN.test(window.from)) return [`${name} from ${window.from}`];
  const from = Date.parse(window.from);
  const to = Date.parse(form.as_of);
  const rules = WINDOW_RULES[name];
  const faults: string[] = [];
  const seconds = (to - from) / 1_000;
  if (seconds < rules.min || seconds > rules.max) faults.push(`${name} is ${seconds} s long`);
  const inside = between(own, from, to);
  if (window.reqs !== inside.length) faults.push(`${name} reqs ${window.reqs}, not ${inside.length}`);
  if (inside.length === 0) {
    const keys = Object.keys(window).sort().join();
    return keys === "from,reqs" ? faults : [...faults, `${name} is empty but has ${keys}`];
  }
  for (const ratio of RATIOS) {
    const expected = expectedRatio(inside, ratio);
    if (!same(window[ratio], expected)) faults.push(`${name} ${ratio} ${window[ratio]}, not ${expected}`);
  }
  const wide = between(own, from - rules.distinctSlack * 1_000, to);
  for (const kind of DISTINCT_COUNTS) {
    const range = { low: expectedDistinct(inside, kind), high: expectedDistinct(wide, kind) };
    // Past the exact limit in the hour, the shorter windows are read off the same sketch.
    const exact = expectedDistinct(own, kind) <= DISTINCT_EXACT_MAX;
    const fault = distinctFault(window[kind] ?? 0, range, exact);
    if (fault) faults.push(`${name} ${kind} ${fault}`);
  }
  return faults;
}

function distinctFault(
  actual: unknown,
  range: { low: number; high: number },
  exact: boolean,
): string | undefined {
  const slack = exact ? 0 : DISTINCT_ERROR_MAX * range.high + 1;
  const right =
    typeof actual === "number" &&
    Number.isInteger(actual) &&
    actual >= range.low - slack &&
    actual <= range.high + slack;
  return right ? undefined : `${actual}, not ${range.low}..${range.high}${exact ? "" : " ± 12 %"}`;
}

/** `local` repeats the hour's window under the names of Cloudflare's signals. */
function localFaults(form: FullForm): string[] {
  const hour = form.windows["1h"];
  return [...RATIOS, "asns" as const, "hosts" as const]
    .filter((name) => hour.reqs > 0 && form.local[`${name}_1h`] !== hour[name])
    .map((name) => `local ${name}_1h ${form.local[`${name}_1h`]}, window ${hour[name]}`);
}

function seenFaults(form: FullForm, own: readonly Observation[]): string[] {
  const times = own.map(timeOf);
  const first = times.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const last = times.reduce((a, b) => Math.max(a, b), 0);
  const faults: string[] = [];
  if (Date.parse(form.first_seen) !== first) faults.push(`first_seen ${form.first_seen}, not ${iso(first)}`);
  if (Date.parse(form.last_seen) !== last) faults.push(`last_seen ${form.last_seen}, not ${iso(last)}`);
  return faults;
}

function iso(time: number): string {
  return new Date(time).toISOString();
}

// ── ranks ───────────────────────────────────────────────────────────────────────────────────────────

const RANKED = ["reqs", "ips", "uas", "paths"] as const;

/** Ranks and quantiles of every fingerprint against the counts that the answers themselves report. */
export function rankFaults(forms: readonly FullForm[]): string[] {
  const faults: string[] = [];
  for (const kind of RANKED) {
    const values = forms.map((form) => Number(form.windows["1h"][kind] ?? 0));
    forms.forEach((form, index) => {
      const own = values[index] as number;
      const rank = 1 + values.filter((value) => value > own).length;
      const quantile = values.filter((value) => value < own).length / values.length;
      const actualRank = form.local[`${kind}_rank_1h`];
      if (actualRank !== rank) faults.push(`${form.ja4}: ${kind}_rank_1h ${actualRank}, not ${rank}`);
      const actualQuantile = form.local[`${kind}_quantile_1h`];
      if ((kind === "reqs" || kind === "ips") && !same(actualQuantile, quantile)) {
        faults.push(`${form.ja4}: ${kind}_quantile_1h ${actualQuantile}, not ${quantile}`);
      }
    });
  }
  for (const form of forms) {
    if (form.local.population !== forms.length) {
      faults.push(`${form.ja4}: population ${form.local.population}, not ${forms.length}`);
    }
  }
  return faults;
}

/** Groups by JA4; those without one are under "". */
export function byFingerprint(observations: readonly Observation[]): Map<string, Observation[]> {
  const groups = new Map<string, Observation[]>();
  for (const one of observations) {
    const key = present(one.ja4) ? one.ja4 : "";
    const group = groups.get(key);
    if (group) group.push(one);
    else groups.set(key, [one]);
  }
  return groups;
}

/** Global signals: the values sent, a population that follows from rank and quantile, and when they were seen. */
export function globalFaults(form: FullForm, own: readonly Observation[]): string[] {
  const carriers = own.filter((one) => present(one.ja4_signals));
  if (carriers.length === 0) {
    return Object.keys(form.global ?? {}).length === 0 ? [] : [`${form.ja4}: global from nowhere`];
  }
  const faults: string[] = [];
  const sent = carriers[0]?.ja4_signals as Record<string, number>;
  const actual = form.global ?? {};
  for (const [name, value] of Object.entries(sent)) {
    if (name === "unknown_signal") {
      if (name in actual) faults.push("an unknown signal was kept");
    } else if (!same(actual[name], value)) faults.push(`global ${name} ${actual[name]}, not ${value}`);
  }
  const rank = sent.reqs_rank_1h as number;
  const population = rank / (1 - (sent.reqs_quantile_1h as number));
  if (Math.abs(Number(actual.population) / population - 1) > 0.01) {
    faults.push(`global population ${actual.population}, not about ${Math.round(population)}`);
  }
  const seen = Math.max(...carriers.map(timeOf));
  if (actual.seen_at !== iso(seen)) faults.push(`seen_at ${actual.seen_at}, not ${iso(seen)}`);
  return faults.map((fault) => `${form.ja4}: ${fault}`);
}
