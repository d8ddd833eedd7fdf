/** Days on which nothing is wrong: every raise is false. Also what a tick costs, since nothing else runs so long. */
import { QUIET } from "../../../../evaluation/parameters.ts";
import { HOUR_MS, MINUTE_MS } from "../../../../src/config.ts";
import { KINDS } from "../../../../src/detect/types.ts";
import { Engine } from "../engine.ts";
import { START_MINUTE } from "../places.ts";
import { QuietSite } from "../quiet.ts";
import type { Part } from "../section.ts";
import { poissonInterval } from "../stats.ts";

const HOUR_MINUTES = HOUR_MS / MINUTE_MS;
const DAY_MINUTES = 24 * HOUR_MINUTES;
const PER_FINGERPRINTS = 10_000;

export const quiet: Part = {
  name: "quiet",
  about: "false episodes a day against the budget, and what a tick costs",
  run({ seeds, quick, log }) {
    const { fingerprints, days, warmUpHours } = quick ? QUIET.quick : QUIET.full;
    const counts = new Map<string, number>(KINDS.map((kind) => [kind, 0]));
    let total = 0;
    let [cpuUs, seen, ticks, stateBytes, makingMs] = [0, 0, 0, 0, 0];
    for (const seed of seeds.quiet) {
      const site = new QuietSite({ seed, fingerprints }, START_MINUTE);
      const engine = new Engine();
      const warmMinutes = warmUpHours * HOUR_MINUTES;
      const minutes = warmMinutes + days * DAY_MINUTES;
      for (let age = 0; age < minutes; age++) {
        const fromMs = performance.now();
        site.step(START_MINUTE + age);
        makingMs += performance.now() - fromMs;
        engine.tick(site.readings.site());
        if (age % DAY_MINUTES === DAY_MINUTES - 1)
          log(`quiet, seed ${seed}: day ${(age + 1) / DAY_MINUTES}, ${engine.raises.length} raises`);
      }
      const fromMs = (START_MINUTE + warmMinutes) * MINUTE_MS;
      for (const { kind, atMs } of engine.raises) {
        if (atMs <= fromMs) continue;
        counts.set(kind, (counts.get(kind) ?? 0) + 1);
        total++;
      }
      cpuUs += engine.cpuUs;
      ticks += engine.ticks;
      seen += engine.seen;
      stateBytes = Math.max(stateBytes, engine.stateBytes);
    }
    const siteDays = days * seeds.quiet.length;
    const row = (name: string, count: number) => {
      const { low, high } = poissonInterval(count);
      const scale = PER_FINGERPRINTS / fingerprints / siteDays;
      return [
        name,
        `${count}`,
        ...[count / siteDays, count * scale, low * scale, high * scale].map((x) => x.toPrecision(3)),
      ];
    };
    const upper = poissonInterval(total).high / siteDays;
    return [
      {
        title: "Days without attacks",
        notes: [
          `${seeds.quiet.length} sites of ${fingerprints} fingerprints, ${days} days each after ${warmUpHours} h of warm-up, one tick a minute. Every raise is false.`,
        ],
        tables: [
          {
            head: [
              "kind",
              "raises",
              "a day",
              `a day per ${PER_FINGERPRINTS} fingerprints`,
              "95 % from",
              "to",
            ],
            rows: [...[...counts].map(([kind, count]) => row(kind, count)), row("all", total)],
          },
          {
            head: [
              "budget, raises a day",
              "promise: at most twice",
              "upper bound of the 95 % interval",
              "kept",
            ],
            rows: QUIET.budgetsPerDay.map((budget) => [
              `${budget}`,
              `${2 * budget}`,
              upper.toPrecision(3),
              upper <= 2 * budget ? "yes" : "NO",
            ]),
          },
          {
            head: ["cost", ""],
            rows: [
              ["a tick of the engine, per fingerprint of the hour", `${(cpuUs / seen).toFixed(2)} µs`],
              ["a day of the site in the engine", `${((cpuUs / ticks / 1e6) * DAY_MINUTES).toFixed(0)} s`],
              ["… and making its traffic", `${((makingMs / ticks / 1_000) * DAY_MINUTES).toFixed(0)} s`],
              ["running episodes at the end", `${stateBytes} bytes`],
            ],
          },
        ],
      },
    ];
  },
};
