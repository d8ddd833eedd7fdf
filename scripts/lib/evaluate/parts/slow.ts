/** Lasting rises that no minute shows: recall against size and usual rate, and how long they take to be found. */
import { SLOW } from "../../../../evaluation/parameters.ts";
import { HOUR_MS, MINUTE_MS } from "../../../../src/config.ts";
import { Dice } from "../dice.ts";
import { Engine } from "../engine.ts";
import { type Member, memberOf } from "../members.ts";
import { START_MINUTE } from "../places.ts";
import { QuietSite } from "../quiet.ts";
import { type Part, withInterval } from "../section.ts";
import { quantile, shareOf } from "../stats.ts";

const HOUR_MINUTES = HOUR_MS / MINUTE_MS;
/** Others on the site: its shape is theirs. */
const OTHERS = 200;
/** A raise so long after the rise still belongs to it. */
const GRACE_MINUTES = 10;
const VOLUME_KINDS = ["surge", "slow_surge"];

interface Rise {
  size: number;
  rate: number;
  steady: boolean;
  fromMinute: number;
}

interface Cell {
  found: number;
  of: number;
  hours: number[];
}

export const slow: Part = {
  name: "slow",
  about: "recall of rises of 5 % to 200 % that last for hours",
  run({ seeds, quick, log }) {
    const { repeats } = quick ? SLOW.quick : SLOW.full;
    const cells = new Map<string, Cell>();
    let falsely = 0;
    for (const seed of seeds.power) {
      for (let repeat = 0; repeat < repeats; repeat++) {
        falsely += play(seed * 1_000 + repeat, quick, cells);
        log(`slow, seed ${seed}: ${repeat + 1} of ${repeats}`);
      }
    }
    const cell = (size: number, rate: number, steady: boolean) => {
      const { found, of, hours } = cells.get(key({ size, rate, steady })) ?? { found: 0, of: 0, hours: [] };
      const median = quantile(hours, 0.5);
      const after = median === undefined ? "" : `, ${median.toFixed(1)} h`;
      return withInterval(shareOf(found, of)) + after;
    };
    const table = (steady: boolean) => ({
      head: [
        steady ? "size, steady level" : "size, wandering level",
        ...SLOW.rates.map((rate) => `${rate}/min`),
      ],
      rows: SLOW.sizes.map((size) => [`×${size}`, ...SLOW.rates.map((rate) => cell(size, rate, steady))]),
    });
    return [
      {
        title: "Lasting rises",
        notes: [
          `Rises of ${SLOW.hours} h, each at a random time of a day after ${SLOW.warmUpHours} h; found when a volume kind raises before it is over, with the median time that this took. ${falsely} raises of these kinds belonged to no rise.`,
        ],
        tables: [table(true), table(false)],
      },
    ];
  },
};

function key({ size, rate, steady }: Omit<Rise, "fromMinute">): string {
  return `${size} ${rate} ${steady}`;
}

/** Plays one site; answers the raises of volume kinds that belong to no rise. */
function play(seed: number, quick: boolean, cells: Map<string, Cell>): number {
  const options = { seed, fingerprints: OTHERS };
  const dice = new Dice(seed, "slow");
  const rises = new Map<Member, Rise>();
  for (let copy = 0; copy < (quick ? SLOW.quick : SLOW.full).copies; copy++)
    for (const steady of [true, false])
      for (const rate of SLOW.rates)
        for (const size of SLOW.sizes) {
          const member = memberOf(dice, "app", rate, options);
          if (steady) Object.assign(member, { isSteady: true, drift: 0 });
          const wait = SLOW.warmUpHours * HOUR_MINUTES + dice.int(SLOW.spreadHours * HOUR_MINUTES);
          rises.set(member, { size, rate, steady, fromMinute: START_MINUTE + wait });
        }
  const minutes = SLOW.hours * HOUR_MINUTES;
  const level = (member: Member, minute: number): number => {
    const rise = rises.get(member);
    return rise !== undefined && minute >= rise.fromMinute && minute < rise.fromMinute + minutes
      ? rise.size
      : 1;
  };
  const site = new QuietSite(options, START_MINUTE, { level }, [...rises.keys()]);
  const engine = new Engine();
  const all = (SLOW.warmUpHours + SLOW.spreadHours + SLOW.hours + 1) * HOUR_MINUTES;
  for (let age = 0; age < all; age++) {
    site.step(START_MINUTE + age);
    engine.tick(site.readings.site());
  }
  const raises = engine.raises.filter(
    ({ kind, atMs }) =>
      VOLUME_KINDS.includes(kind) && atMs > (START_MINUTE + SLOW.warmUpHours * HOUR_MINUTES) * MINUTE_MS,
  );
  let owned = 0;
  for (const [{ ja4 }, rise] of rises) {
    const cell = cells.get(key(rise)) ?? { found: 0, of: 0, hours: [] };
    cells.set(key(rise), cell);
    cell.of++;
    const fromMs = rise.fromMinute * MINUTE_MS;
    const mine = raises.filter(
      (raise) =>
        raise.ja4 === ja4 &&
        raise.atMs > fromMs &&
        raise.atMs <= fromMs + (minutes + GRACE_MINUTES) * MINUTE_MS,
    );
    owned += mine.length;
    if (mine[0] === undefined) continue;
    cell.found++;
    cell.hours.push((mine[0].atMs - fromMs) / HOUR_MS);
  }
  return raises.length - owned;
}
