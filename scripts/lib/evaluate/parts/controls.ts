/** Harmless events, each on a site of its own beside the same site without it: what is raised beyond that is false. */
import { CONTROLS } from "../../../../evaluation/parameters.ts";
import { HOUR_MS, MINUTE_MS } from "../../../../src/config.ts";
import { Dice } from "../dice.ts";
import { Engine } from "../engine.ts";
import { type Member, memberOf, type SiteOptions } from "../members.ts";
import { START_MINUTE } from "../places.ts";
import { QuietSite, type Weather } from "../quiet.ts";
import type { Part } from "../section.ts";

const HOUR_MINUTES = HOUR_MS / MINUTE_MS;
/** Busy enough that a recrawl is seen. */
const CRAWLER_RATE = 5;
const DAY_MINUTES = 24 * HOUR_MINUTES;

interface Control {
  name: string;
  /** What happens from minute `from` on; `special` = those of `more`. */
  weather(from: number, special: ReadonlySet<Member>): Weather;
  /** Fingerprints that the site has beside the others. */
  more?(dice: Dice, options: SiteOptions): Member[];
}

const within = (minute: number, from: number, minutes: number) => minute >= from && minute < from + minutes;

const LIST: readonly Control[] = [
  {
    name: `flash crowd, ×${CONTROLS.flashCrowd.times} on all browsers`,
    weather: (from) => ({
      level: ({ group }, minute) => {
        const { times, minutes, riseMinutes } = CONTROLS.flashCrowd;
        if (group !== "browser" || !within(minute, from, minutes)) return 1;
        return 1 + (times - 1) * Math.min((minute - from + 1) / riseMinutes, 1);
      },
    }),
  },
  {
    name: `browser release: ${100 * CONTROLS.release.shareOfBrowsers} % of browsers in ${CONTROLS.release.hours} h`,
    more: (dice, options) => [
      memberOf(dice, "chromium", CONTROLS.release.shareOfBrowsers * options.fingerprints, options),
    ],
    weather: (from, special) => ({
      level: (member, minute) => {
        const { shareOfBrowsers, hours } = CONTROLS.release;
        const done = Math.min(Math.max(minute - from, 0) / (hours * HOUR_MINUTES), 1);
        if (special.has(member)) return minute < from ? 0 : done;
        return member.group === "browser" ? 1 - shareOfBrowsers * done : 1;
      },
    }),
  },
  {
    name: `deploy: ${100 * CONTROLS.deploy.errorShare} % of 5xx for ${CONTROLS.deploy.minutes} min`,
    weather: (from) => ({
      errors: (minute) => (within(minute, from, CONTROLS.deploy.minutes) ? CONTROLS.deploy.errorShare : 0),
    }),
  },
  {
    name: `cache purge: hits to ${100 * CONTROLS.cachePurge.cacheTimes} % for ${CONTROLS.cachePurge.minutes} min`,
    weather: (from) => ({
      cacheTimes: (minute) =>
        within(minute, from, CONTROLS.cachePurge.minutes) ? CONTROLS.cachePurge.cacheTimes : 1,
    }),
  },
  {
    name: `recrawl by a verified bot, ×${CONTROLS.recrawl.times}`,
    more: (dice, options) => [memberOf(dice, "crawler", CRAWLER_RATE, options)],
    weather: (from, special) => {
      const { times, minutes, newPathShare } = CONTROLS.recrawl;
      const isOn = (member: Member, minute: number) => special.has(member) && within(minute, from, minutes);
      return {
        level: (member, minute) => (isOn(member, minute) ? times : 1),
        newPaths: (member, minute) => (isOn(member, minute) ? newPathShare : 0),
      };
    },
  },
  {
    name: `weekend: everything falls to ${100 * CONTROLS.weekendLevel} % at midnight`,
    weather: (from) => ({ level: (_, minute) => (minute >= from ? CONTROLS.weekendLevel : 1) }),
  },
  {
    name: "no signals from Cloudflare any more",
    weather: (from) => ({ isWithoutSignals: (minute) => minute >= from }),
  },
  {
    name: `clocks change by ${CONTROLS.clockShiftHours} h`,
    weather: (from) => ({
      shiftMinutes: (minute) => (minute >= from ? CONTROLS.clockShiftHours * HOUR_MINUTES : 0),
    }),
  },
];

export const controls: Part = {
  name: "controls",
  about: "harmless events: what they raise beyond a day without them",
  run({ seeds, quick, log }) {
    const { fingerprints, hoursBefore, hoursAfter } = quick ? CONTROLS.quick : CONTROLS.full;
    const from = START_MINUTE + hoursBefore * HOUR_MINUTES;
    const minutes = Math.min((hoursBefore + hoursAfter) * HOUR_MINUTES, DAY_MINUTES);
    const rows = LIST.map((control) => {
      const raised = new Map<string, number>();
      let [total, usual] = [0, 0];
      for (const seed of seeds.controls) {
        const options = { seed, fingerprints };
        const play = (startsAt: number) => {
          const more = control.more?.(new Dice(seed, "control"), options) ?? [];
          const site = new QuietSite(options, START_MINUTE, control.weather(startsAt, new Set(more)), more);
          const engine = new Engine();
          for (let minute = START_MINUTE; minute < START_MINUTE + minutes; minute++) {
            site.step(minute);
            engine.tick(site.readings.site());
          }
          return [...engine.raises, ...engine.siteRaises].filter(({ atMs }) => atMs > from * MINUTE_MS);
        };
        usual += play(Number.POSITIVE_INFINITY).length;
        for (const { kind } of play(from)) {
          total++;
          raised.set(kind, (raised.get(kind) ?? 0) + 1);
        }
      }
      log(`controls: ${control.name}: ${total} raises, ${usual} without it`);
      const kinds = [...raised].sort((a, b) => b[1] - a[1]).map(([kind, count]) => `${kind} ${count}`);
      return [control.name, `${total}`, `${usual}`, kinds.join(", ")];
    });
    return [
      {
        title: "Harmless events",
        notes: [
          `Each on ${seeds.controls.length} site${seeds.controls.length === 1 ? "" : "s"} of ${fingerprints} fingerprints, ${hoursBefore} h before and ${hoursAfter} h with it, one tick a minute. Nothing should be raised of a fingerprint beyond what the same hours without the event raise; of the site, one event at most.`,
        ],
        tables: [{ head: ["event", "raises with it", "without", "kinds"], rows }],
      },
    ];
  },
};
