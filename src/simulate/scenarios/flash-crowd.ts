/**
 * Harmless: the shop is on television, and everybody comes, with every browser.
 *
 * What everybody does is nobody's surge: the detectors take the crowd out, and the site is told of it once (`flash_crowd`).
 */
import { MINUTE_MS } from "../../config.ts";
import { visitsIn } from "../background.ts";
import { byTime } from "../record.ts";
import { allBrowsers, type Label, type Scenario } from "../scenario.ts";
import { VISIT_MAX_MS } from "../visit.ts";

const TIMES = 10;
const DURATION_MS = 150_000;
/** Until everybody is there, and from then until everybody has left. */
const RISES_SHARE = 0.4;

export const flashCrowd: Scenario = {
  name: "flash-crowd",
  durationMs: DURATION_MS,
  play(stage) {
    const { background, startMs } = stage;
    const browsers = allBrowsers(stage);
    const label: Label = {
      scene: "flash-crowd",
      title: "Flash crowd",
      sentence: `the shop is on television: all browsers together rise to ×${TIMES} and calm down again`,
      ja4: browsers.map(({ ja4 }) => ja4),
      startMs,
      endMs: startMs + DURATION_MS,
      expects: [],
      also: ["flash_crowd"],
      note: "harmless: one event of the site at most",
    };
    /** Visits beyond the usual that begin in a minute, as a share of the usual. */
    const more = (minute: number) => {
      const phase = ((minute + 0.5) * MINUTE_MS - startMs) / DURATION_MS;
      if (phase <= 0 || phase >= 1) return 0;
      return (TIMES - 1) * Math.min(phase / RISES_SHARE, (1 - phase) / (1 - RISES_SHARE), 1);
    };
    return {
      label,
      between(fromMs, toMs) {
        const from = Math.max(fromMs, startMs);
        const to = Math.min(toMs, label.endMs);
        const first = Math.floor((from - VISIT_MAX_MS) / MINUTE_MS);
        const last = Math.floor((to - 1) / MINUTE_MS);
        const minutes = Array.from({ length: Math.max(last - first + 1, 0) }, (_, i) => first + i);
        const begun = minutes.flatMap((minute) =>
          browsers.flatMap((client) => visitsIn(client, minute, background.seed, more(minute), label.scene)),
        );
        return byTime(begun.filter(({ timestamp }) => timestamp >= from && timestamp < to));
      },
    };
  },
};
