/** This site's ten signals of a fingerprint, named as Cloudflare names its own, and what goes beyond them. */

import type { WindowNumbers } from "../window/snapshot.ts";
import { RATIOS, type Ratio } from "../wire/flags.ts";
import type { LocalRanks } from "./ranks.ts";

export type LocalSignals = Partial<Record<`${Ratio}_ratio_1h` | "asns_1h" | "hosts_1h", number>> & LocalRanks;

const NAMES = RATIOS.map((ratio) => [`${ratio}_ratio`, `${ratio}_ratio_1h`] as const);

/** `hour` = the numbers of the 1h window. */
export function localSignals(hour: WindowNumbers, ranks: LocalRanks): LocalSignals {
  const signals: LocalSignals = {};
  for (const [name, local] of NAMES) {
    const value = hour[name];
    if (value !== undefined) signals[local] = value;
  }
  Object.assign(signals, ranks);
  if (hour.asns !== undefined) signals.asns_1h = hour.asns;
  if (hour.hosts !== undefined) signals.hosts_1h = hour.hosts;
  return signals;
}
