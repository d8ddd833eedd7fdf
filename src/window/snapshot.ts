/** The numbers of one fingerprint in one window, as users see them. What cannot be computed has no key. */
import { rfc3339 } from "../base/time.ts";
import type { WindowName } from "../config.ts";
import { RATIOS, type Ratio } from "../wire/flags.ts";
import { REQS, ratioOf, type Tally } from "./tally.ts";
import { windowFrom } from "./time.ts";
import type { Window } from "./window.ts";

/** Names of the distinct counts, in the order of IDENTITIES (ip, ua, path, host, asn). */
export const DISTINCTS = ["ips", "uas", "paths", "hosts", "asns"] as const;
export type DistinctName = (typeof DISTINCTS)[number];
export type RatioName = `${Ratio}_ratio`;

export type WindowNumbers = { from: string; reqs: number } & Partial<
  Record<DistinctName | RatioName, number>
>;

/** Every number of a window; one without requests is only `from` and `reqs`. */
export function windowNumbers(window: Window, id: number, name: WindowName): WindowNumbers {
  const tally = window.tally(id, name);
  const numbers: WindowNumbers = { from: rfc3339(windowFrom(name, window.nowMs)), reqs: tally[REQS]! };
  if (numbers.reqs === 0) return numbers;
  DISTINCTS.forEach((distinct, identity) => {
    const count = window.distinct(id, identity, name);
    if (count !== undefined) numbers[distinct] = count;
  });
  Object.assign(numbers, ratioNumbers(tally));
  return numbers;
}

/** The ratios of a tally that can be computed, named `…_ratio`. */
function ratioNumbers(tally: Tally): Partial<Record<RatioName, number>> {
  const numbers: Partial<Record<RatioName, number>> = {};
  RATIOS.forEach((ratio, index) => {
    const value = ratioOf(tally, 0, index);
    if (value !== undefined) numbers[`${ratio}_ratio`] = value;
  });
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
