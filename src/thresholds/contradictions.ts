/** What a threshold says that can never be true, so that nobody waits for an alert that cannot come. */
import type { Comparison } from "./rule.ts";
import { rangeOf } from "./signals.ts";

/** What of a threshold can contradict itself. */
export interface Condition {
  mode: "all" | "any";
  comparisons: readonly Comparison[];
  minReqs: number;
}

export interface Contradiction {
  /** The comparison that cannot hold; absent = `min_reqs`. */
  at?: number;
  detail: string;
}

/** Values that a number may have, ends included or not. */
interface Range {
  least: number;
  most: number;
  /** Whether the end itself is out. */
  overLeast: boolean;
  underMost: boolean;
}

/** Every comparison that cannot hold by itself, else the first that cannot hold beside the ones before it. */
export function contradictions({ mode, comparisons, minReqs }: Condition): Contradiction[] {
  const alone = comparisons.flatMap((comparison, at): Contradiction[] => {
    const { least, most } = rangeOf(comparison.signal);
    const { value, signal, op } = comparison;
    if (value < least || value > most)
      return [
        { at, detail: `${signal} is never ${value < least ? "below" : "above"} ${clip(value, least, most)}` },
      ];
    return isEmpty(narrow(fullRange(signal), comparison))
      ? [{ at, detail: `${signal} is never ${op} ${value}` }]
      : [];
  });
  if (alone.length > 0) return alone;
  return mode === "all"
    ? together(comparisons, minReqs)
    : comparisons.flatMap((one) => together([one], minReqs));
}

function clip(value: number, least: number, most: number): number {
  return value < least ? least : most;
}

/** The first contradiction among comparisons that must all hold. */
function together(comparisons: readonly Comparison[], minReqs: number): Contradiction[] {
  const ranges = new Map<string, Range>();
  const nameOf = ({ signal, window }: Pick<Comparison, "signal" | "window">) => `${signal} ${window}`;
  for (const [at, comparison] of comparisons.entries()) {
    const name = nameOf(comparison);
    const range = narrow(ranges.get(name) ?? fullRange(comparison.signal), comparison);
    if (isEmpty(range)) return [{ at, detail: `contradicts another comparison of ${comparison.signal}` }];
    ranges.set(name, range);
  }
  for (const { window } of comparisons) {
    const range = ranges.get(nameOf({ signal: "reqs", window: window ?? "1h" }));
    const least: Comparison = { signal: "reqs", op: ">=", value: minReqs };
    if (range !== undefined && isEmpty(narrow(range, least)))
      return [{ detail: "more than the condition allows in the same window" }];
  }
  return [];
}

function fullRange(signal: string): Range {
  return { ...rangeOf(signal), overLeast: false, underMost: false };
}

function narrow(range: Range, { op, value }: Comparison): Range {
  const strict = op === ">" || op === "<";
  if (op === ">" || op === ">=") {
    if (value < range.least || (value === range.least && !strict)) return range;
    return { ...range, least: value, overLeast: strict || (value === range.least && range.overLeast) };
  }
  if (value > range.most || (value === range.most && !strict)) return range;
  return { ...range, most: value, underMost: strict || (value === range.most && range.underMost) };
}

function isEmpty({ least, most, overLeast, underMost }: Range): boolean {
  return least > most || (least === most && (overLeast || underMost));
}
