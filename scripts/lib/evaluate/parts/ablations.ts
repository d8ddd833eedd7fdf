/** What each step is worth: the same sites with one of them left out. */
import { ABLATIONS } from "../../../../evaluation/parameters.ts";
import { HOUR_MS, MINUTE_MS } from "../../../../src/config.ts";
import { EpisodePool } from "../../../../src/detect/budget.ts";
import { Habits } from "../../../../src/detect/habits.ts";
import { Memory } from "../../../../src/detect/memory.ts";
import type { OffsetFit } from "../../../../src/detect/offsets.ts";
import { newTail, type TailState } from "../../../../src/detect/recalibration.ts";
import type { KindName, Site } from "../../../../src/detect/types.ts";
import { Engine, type EngineOptions } from "../engine.ts";
import { START_MINUTE } from "../places.ts";
import { QuietSite, type Weather } from "../quiet.ts";
import type { Part } from "../section.ts";

const HOUR_MINUTES = HOUR_MS / MINUTE_MS;

class NoTail extends Memory {
  override tail(): TailState {
    return newTail();
  }
}

class NoDayHabits extends Habits {
  override day(): undefined {
    return undefined;
  }
}

class FloorPool extends EpisodePool {
  override threshold(_budget: number, floor: number): number {
    return floor;
  }
}

class NoBudget extends Memory {
  readonly #floors = new Map<KindName, EpisodePool>();
  override pool(kind: KindName): EpisodePool {
    const pool = this.#floors.get(kind) ?? new FloorPool(kind);
    this.#floors.set(kind, pool);
    return pool;
  }
}

class NoOffset extends Memory {
  override offsets(site: Site): OffsetFit {
    const fit = super.offsets(site);
    const none = (offset: OffsetFit[keyof OffsetFit]) => ({ ...offset, alpha: 0 });
    return {
      h2h3: none(fit.h2h3),
      heuristic: none(fit.heuristic),
      browser: none(fit.browser),
      cache: none(fit.cache),
    };
  }
}

const VARIANTS: readonly [string, () => EngineOptions][] = [
  ["as it is", () => ({})],
  ["without the tail step", () => ({ memory: new NoTail() })],
  ["without the day", () => ({ memory: new Memory(new NoDayHabits()) })],
  ["without the budget", () => ({ memory: new NoBudget() })],
  ["without the crowd factor", () => ({ withoutCrowd: true })],
  ["without the site's offset", () => ({ memory: new NoOffset() })],
];

export const ablations: Part = {
  name: "ablations",
  about: "what each step is worth: the same sites without it",
  run({ seeds, quick, log }) {
    const { fingerprints, quietHours, crowdHours } = quick ? ABLATIONS.quick : ABLATIONS.full;
    const seed = seeds.controls[0] ?? 0;
    const rows = VARIANTS.map(([name, options]) => {
      const quiet = raises(new QuietSite({ seed, fingerprints }, START_MINUTE), options(), quietHours);
      const from = START_MINUTE + (crowdHours - 1) * HOUR_MINUTES;
      const crowd: Weather = {
        level: ({ group }, minute) => (group === "browser" && minute >= from && minute < from + 30 ? 10 : 1),
      };
      const flash = raises(new QuietSite({ seed, fingerprints }, START_MINUTE, crowd), options(), crowdHours);
      const api = raises(
        new QuietSite({ seed, fingerprints, apiOnly: true }, START_MINUTE),
        options(),
        crowdHours,
      );
      log(`ablations: ${name}`);
      return [name, `${quiet}`, `${flash}`, `${api}`];
    });
    return [
      {
        title: "What each step is worth",
        notes: [
          `Raises on a site of ${fingerprints} fingerprints with one step left out: on ${quietHours} quiet hours, with a flash crowd (×10 on all browsers for half an hour) in ${crowdHours} h, and on ${crowdHours} quiet hours of an API on which nothing can be cached. The first three hours do not count.`,
        ],
        tables: [{ head: ["", "quiet", "flash crowd", "API"], rows }],
      },
    ];
  },
};

function raises(site: QuietSite, options: EngineOptions, hours: number): number {
  const engine = new Engine(options);
  for (let age = 0; age < hours * HOUR_MINUTES; age++) {
    site.step(START_MINUTE + age);
    engine.tick(site.readings.site());
  }
  const warmMs = (START_MINUTE + Math.min(ABLATIONS.warmUpHours, hours / 2) * HOUR_MINUTES) * MINUTE_MS;
  return engine.raises.filter(({ atMs }) => atMs > warmMs).length;
}
