/** The numbers of one fingerprint in one window, as users see them. What cannot be computed has no key. */
import { rfc3339 } from "../base/time.ts";
import type { WindowName } from "../config.ts";
import { RATIOS, type Ratio } from "../wire/flags.ts";
import { REQS, ratioOf } from "./tally.ts";
import { windowFrom } from "./time.ts";
import type { Window } from "./window.ts";

/** Names of the distinct counts, in the order of IDENTITIES (ip, ua, path, host, asn). */
export const DISTINCTS = ["ips", "uas", "paths", "hosts", "asns"] as const;
export type DistinctName = (typeof DISTINCTS)[number];
export type RatioName = `${Ratio}_ratio`;
/** Of ratio i; made once, since a key that is put together has to be looked up among all strings each time. */
const RATIO_NAMES = RATIOS.map((ratio): RatioName => `${ratio}_ratio`);

export type WindowNumbers = { from: string; reqs: number } & Partial<
  Record<DistinctName | RatioName, number>
>;

/** Every number of a window; one without requests is only `from` and `reqs`. */
export function windowNumbers(window: Window, id: number, name: WindowName): WindowNumbers {
  const tally = window.tally(id, name);
  const numbers: WindowNumbers = { from: rfc3339(windowFrom(name, window.nowMs)), reqs: tally[REQS]! };
  if (numbers.reqs === 0) return numbers;
  for (let identity = 0; identity < DISTINCTS.length; identity++) {
    const count = window.distinct(id, identity, name);
    if (count !== undefined) numbers[DISTINCTS[identity]!] = count;
  }
  // Those that can be computed.
  for (let ratio = 0; ratio < RATIO_NAMES.length; ratio++) {
    const value = ratioOf(tally, 0, ratio);
    if (value !== undefined) numbers[RATIO_NAMES[ratio]!] = value;
  }
  return numbers;
}

/** One window number by its name, without computing the others; `undefined` = absent. Thresholds and lists use it. */
export function windowNumber(
  window: Window,
  id: number,
  name: WindowName,
  signal: "reqs" | DistinctName | RatioName,
): number | undefined {
  const reqs = window.reqs(id, name);
  if (signal === "reqs") return reqs;
  if (reqs === 0) return undefined;
  const identity = DISTINCTS.indexOf(signal as DistinctName);
  if (identity >= 0) return window.distinct(id, identity, name);
  return ratioOf(window.tally(id, name), 0, RATIOS.indexOf(signal.slice(0, -"_ratio".length) as Ratio));
}
