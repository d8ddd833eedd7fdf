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

interface Run {
  budgetPerDay: number;
  fingerprints: number;
  days: number;
}

interface Lived extends Run {
  byKind: ReadonlyMap<string, number>;
  raises: number;
  siteEvents: number;
  cpuUs: number;
  seen: number;
  ticks: number;
  makingMs: number;
  habits: number;
}

export const quiet: Part = {
  name: "quiet",
  about: "false episodes a day against the budget, and what a tick costs",
  run({ seeds, quick, long, log }) {
    const runs: readonly Run[] = quick ? QUIET.quick : long ? QUIET.long : QUIET.full;
    const lived = runs.map((run, i) => live(run, seeds.quiet[i % seeds.quiet.length]!, log));
    const kinds = KINDS.filter((kind) => lived.some(({ byKind }) => byKind.has(kind)));
    const cost = lived.reduce((a, b) => (b.fingerprints >= a.fingerprints ? b : a));
    return [
      {
        title: "Days without attacks",
        notes: [
          `A site for each budget, after ${QUIET.warmUpHours} h of warm-up, one tick a minute. Every raise is false. The promise is kept when the upper bound of the 95 % interval is at most twice the budget.`,
        ],
        tables: [
          {
            head: [
              "budget, raises a day",
              "fingerprints",
              "days",
              "raises",
              "a day",
              "95 %",
              "at most",
              "kept",
            ],
            rows: lived.map(budgetRow),
          },
          {
            head: ["raises of", ...lived.map(({ budgetPerDay }) => `budget ${budgetPerDay}`)],
            rows: [
              ...kinds.map((kind) => [kind, ...lived.map(({ byKind }) => `${byKind.get(kind) ?? 0}`)]),
              ["site events", ...lived.map(({ siteEvents }) => `${siteEvents}`)],
            ],
          },
          {
            head: ["cost", ""],
            rows: [
              [
                "a tick of the engine, per fingerprint of the hour",
                `${(cost.cpuUs / Math.max(cost.seen, 1)).toFixed(2)} µs`,
              ],
              [
                `a day of ${cost.fingerprints} fingerprints in the engine`,
                `${((cost.cpuUs / cost.ticks / 1e6) * DAY_MINUTES).toFixed(0)} s`,
              ],
              [
                "… and making its traffic",
                `${((cost.makingMs / cost.ticks / 1_000) * DAY_MINUTES).toFixed(0)} s`,
              ],
              ["fingerprints whose days are remembered, at the end", `${cost.habits}`],
            ],
          },
        ],
      },
    ];
  },
};

function live(run: Run, seed: number, log: (line: string) => void): Lived {
  const { budgetPerDay, fingerprints, days } = run;
  const site = new QuietSite({ seed, fingerprints }, START_MINUTE);
  const engine = new Engine({ budgetPerDay });
  const warmMinutes = QUIET.warmUpHours * HOUR_MINUTES;
  let makingMs = 0;
  for (let age = 0; age < warmMinutes + days * DAY_MINUTES; age++) {
    const fromMs = performance.now();
    site.step(START_MINUTE + age);
    makingMs += performance.now() - fromMs;
    engine.tick(site.readings.site());
    if (age % DAY_MINUTES === DAY_MINUTES - 1)
      log(
        `quiet, budget ${budgetPerDay}: day ${(age + 1) / DAY_MINUTES}, ${engine.raises.length} raises (${engine.raises
          .map(({ kind }) => kind)
          .slice(-5)
          .join(" ")})`,
      );
  }
  const warmMs = (START_MINUTE + warmMinutes) * MINUTE_MS;
  const raises = engine.raises.filter(({ atMs }) => atMs > warmMs);
  const byKind = new Map<string, number>();
  for (const { kind } of raises) byKind.set(kind, (byKind.get(kind) ?? 0) + 1);
  const { cpuUs, seen, ticks, siteRaises, memory } = engine;
  return {
    ...run,
    ...{ byKind, raises: raises.length, siteEvents: siteRaises.length, cpuUs, seen, ticks, makingMs },
    habits: memory.habits.size,
  };
}

function budgetRow({ budgetPerDay, fingerprints, days, raises }: Lived): string[] {
  const { low, high } = poissonInterval(raises);
  const upper = high / days;
  return [
    `${budgetPerDay}`,
    `${fingerprints}`,
    `${days}`,
    `${raises}`,
    (raises / days).toPrecision(3),
    `${(low / days).toPrecision(3)} to ${upper.toPrecision(3)}`,
    `${2 * budgetPerDay}`,
    upper <= 2 * budgetPerDay ? "yes" : "NO",
  ];
}
