/** How small a rise is found: recall against its size and the usual rate. A rise and nothing else, one tick a minute. */
import { POWER } from "../../../../evaluation/parameters.ts";
import { HOUR_MS, MINUTE_MS } from "../../../../src/config.ts";
import { Dice } from "../dice.ts";
import { Engine } from "../engine.ts";
import { type Member, memberOf } from "../members.ts";
import { START_MINUTE } from "../places.ts";
import { curves } from "../plot.ts";
import { QuietSite } from "../quiet.ts";
import { type Part, percent, withInterval } from "../section.ts";
import { type Share, shareOf } from "../stats.ts";

const HOUR_MINUTES = HOUR_MS / MINUTE_MS;
/** Others on the site, so that it has shares and cohorts. */
const OTHERS = 60;
/** A raise so long after the rise still belongs to it. */
const GRACE_MINUTES = 2;
const VOLUME_KINDS = ["surge", "slow_surge"];

export const power: Part = {
  name: "power",
  about: "recall of a rise against its size and the usual rate",
  run({ seeds, quick, log }) {
    const { repeats } = quick ? POWER.quick : POWER.full;
    const sizes: readonly number[] = quick ? POWER.quick.sizes : POWER.sizes;
    const rates: readonly number[] = quick ? POWER.quick.rates : POWER.rates;
    const found = new Map<string, number>();
    for (const seed of seeds.power) {
      for (let repeat = 0; repeat < repeats; repeat++) {
        play(seed, repeat, sizes, rates, found);
        log(`power, seed ${seed}: ${repeat + 1} of ${repeats}`);
      }
    }
    const n = repeats * seeds.power.length;
    const at = (rate: number, size: number): Share => shareOf(found.get(`${rate} ${size}`) ?? 0, n);
    return [
      {
        title: "Recall against size and rate",
        notes: [
          `A fingerprint's requests rise to so many times the usual for ${POWER.minutes} minutes, and nothing else about it changes; ${n} rises a cell, found when any volume kind raises. Surge asks for 50 requests in the minute (its default \`min_reqs\`), so rises that stay below cannot be found.`,
        ],
        plots: [
          {
            name: "power",
            alt: "recall against the size of a rise, a curve for each usual rate",
            svg: curves({
              title: "Share of rises found",
              x: { label: "times the usual rate", values: sizes, isLog: true },
              series: rates.map((rate) => ({
                name: `${rate}/min`,
                y: sizes.map((size) => at(rate, size).value ?? 0),
              })),
              format: percent,
            }),
          },
        ],
        tables: [
          {
            head: ["size", ...rates.map((rate) => `${rate}/min`)],
            rows: sizes.map((size) => [`×${size}`, ...rates.map((rate) => withInterval(at(rate, size)))]),
          },
        ],
      },
    ];
  },
};

function play(
  seed: number,
  repeat: number,
  sizes: readonly number[],
  rates: readonly number[],
  found: Map<string, number>,
): void {
  const options = { seed: seed * 1_000 + repeat, fingerprints: OTHERS };
  const dice = new Dice(seed, "power", repeat);
  const test = rates.map((rate) => memberOf(dice, "app", rate, options));
  const order = dice.shuffle(sizes.map((size) => ({ size })));
  const every = POWER.minutes + POWER.gapMinutes;
  const firstMinute = START_MINUTE + Math.ceil(POWER.warmUpHours * HOUR_MINUTES);
  const eventAt = (minute: number) => {
    const age = minute - firstMinute;
    const event = order[Math.floor(age / every)];
    return age < 0 || event === undefined ? undefined : { ...event, into: age % every };
  };
  const isTest = new Set<Member>(test);
  const site = new QuietSite(
    options,
    START_MINUTE,
    {
      level: (member, minute) => {
        const event = isTest.has(member) ? eventAt(minute) : undefined;
        return event !== undefined && event.into < POWER.minutes ? event.size : 1;
      },
    },
    test,
  );
  const engine = new Engine();
  for (let minute = START_MINUTE; minute < firstMinute + order.length * every; minute++) {
    site.step(minute);
    engine.tick(site.readings.site());
  }
  for (const [i, { ja4 }] of test.entries()) {
    for (const [place, { size }] of order.entries()) {
      const startMs = (firstMinute + place * every) * MINUTE_MS;
      const endMs = startMs + (POWER.minutes + GRACE_MINUTES) * MINUTE_MS;
      const isFound = engine.raises.some(
        (raise) =>
          VOLUME_KINDS.includes(raise.kind) &&
          raise.ja4 === ja4 &&
          raise.atMs > startMs &&
          raise.atMs <= endMs,
      );
      const key = `${rates[i]} ${size}`;
      if (isFound) found.set(key, (found.get(key) ?? 0) + 1);
    }
  }
}
