/** What a replay says of itself before and after. */
import { clock, lengthText, printable } from "../terminal.ts";
import type { Ja4By, ReplayArgs } from "./args.ts";
import type { Assigned } from "./ja4-table.ts";
import type { Scan } from "./scan.ts";
import type { TimeMap } from "./time-map.ts";

const FAMILIES_SHOWN_MAX = 12;

/** What is going to be sent. */
export function head(args: ReplayArgs, scan: Scan, times: TimeMap, giveJa4: Ja4By | undefined): string[] {
  const lines = scan.sources.map(({ file, format }) => {
    return `${printable(file.path)}: ${format}${file.gzip ? ", gzip" : ""}`;
  });
  if (scan.unreadable > 0) {
    for (const { place, why } of scan.faults) {
      lines.push(`unreadable: ${printable(place.file)}:${place.line}: ${why}`);
    }
    const more = scan.unreadable - scan.faults.length;
    if (more > 0) lines.push(`unreadable: ${more} more`);
  }
  if (scan.records === 0) return lines;
  const span = lengthText(scan.newestMs - scan.oldestMs);
  lines.push(`in the log: ${clock(scan.oldestMs)} to ${clock(scan.newestMs)} (${span})`);
  lines.push(timesLine(args, times));
  lines.push(ja4Line(scan, giveJa4));
  const { connection } = args;
  lines.push(`to ${connection.url.href}, site ${connection.site}`);
  return lines;
}

function timesLine({ now, compressMs, speed }: ReplayArgs, times: TimeMap): string {
  const moved = now || compressMs !== undefined;
  const range = `${clock(times.oldestMs)} to ${clock(times.newestMs)} (${lengthText(times.newestMs - times.oldestMs)})`;
  const pace =
    speed === Number.POSITIVE_INFINITY
      ? "at full speed"
      : `at ${speed} times real time, ${lengthText(times.durationMs)}`;
  return `sent ${moved ? `as ${range}` : "with these times"}, ${pace}`;
}

function ja4Line(scan: Scan, giveJa4: Ja4By | undefined): string {
  const missing = scan.records - scan.withJa4;
  const have = `JA4: ${scan.withJa4 === 0 ? "the log has none" : `${missing} of ${scan.records} records have none`}`;
  if (missing === 0) return "JA4: as in the log";
  if (giveJa4 === undefined) return `${have}, which stays so (--ja4-by gives them one)`;
  if (giveJa4 === "ua") return `${have}: given by user agent family, as it claims to be (--ja4-by ua)`;
  if (giveJa4 === "ip") return `${have}: a made-up one for each address, t00d0000ip_… (--ja4-by ip)`;
  return `${have}: all get ${giveJa4.value} (--ja4-by)`;
}

/** Which JA4 was given to which family, most frequent first. */
export function ja4Lines(families: ReadonlyMap<string, Assigned & { readonly count: number }>): string[] {
  const all = [...families.values()].sort((a, b) => b.count - a.count);
  // By address or one for all there is only one line, and it says nothing new.
  if (all.length === 0 || (all.length === 1 && !all[0]?.ja4.startsWith("t00d0000ua") && !all[0]?.real))
    return [];
  const width = Math.max(...all.slice(0, FAMILIES_SHOWN_MAX).map(({ count }) => String(count).length));
  const lines = all.slice(0, FAMILIES_SHOWN_MAX).map(({ count, ja4, family, real }) => {
    return `  ${String(count).padStart(width)}  ${ja4}  ${printable(family)} (${real ? "FoxIO's mapping" : "made up"})`;
  });
  const rest = all.slice(FAMILIES_SHOWN_MAX);
  if (rest.length > 0) {
    const count = rest.reduce((sum, one) => sum + one.count, 0);
    lines.push(`  ${String(count).padStart(width)}  in ${rest.length} more families`);
  }
  return [`JA4 given to ${all.length} user agent families:`, ...lines];
}
