/** What a block of one fingerprint would hit: its share of the whole site's hour (contract §4). */
import { FACTS, REQS, type Tally } from "../window/tally.ts";
import { RATIOS } from "../wire/flags.ts";

const BROWSER_YES = FACTS + 2 * RATIOS.indexOf("browser") + 1;

/** Accepted requests of the 1h window, those without a JA4 too, and those of them with a browser's user agent. */
export interface SiteTotals {
  reqs: number;
  browserReqs: number;
}

export function totalsOf(tally: Tally): SiteTotals {
  return { reqs: tally[REQS]!, browserReqs: tally[BROWSER_YES]! };
}

export function addTotals(a: SiteTotals, b: SiteTotals): SiteTotals {
  return { reqs: a.reqs + b.reqs, browserReqs: a.browserReqs + b.browserReqs };
}

/** `fingerprint` is part of `site`. `undefined` for a site without requests; a share of nothing has no key. */
export function blastRadius(
  fingerprint: SiteTotals,
  site: SiteTotals,
): { share_of_reqs: number; share_of_browser_reqs?: number } | undefined {
  if (site.reqs === 0) return undefined;
  return {
    share_of_reqs: fingerprint.reqs / site.reqs,
    ...(site.browserReqs === 0 ? {} : { share_of_browser_reqs: fingerprint.browserReqs / site.browserReqs }),
  };
}
