/** Whether p means what it says: how often it is at most α where nothing is wrong, on either background. */
import { CALIBRATION } from "../../../../evaluation/parameters.ts";
import { HOUR_MS, MINUTE_MS } from "../../../../src/config.ts";
import { ALL_KINDS } from "../../../../src/detect/kinds/all.ts";
import { DEFAULT_KIND_SETTINGS } from "../../../../src/detect/settings.ts";
import { KINDS, type KindName } from "../../../../src/detect/types.ts";
import { Engine, overheard } from "../engine.ts";
import { START_MINUTE } from "../places.ts";
import { curves } from "../plot.ts";
import { QuietSite } from "../quiet.ts";
import { hasRealCounts } from "../real-counts.ts";
import type { Part } from "../section.ts";

const HOUR_MINUTES = HOUR_MS / MINUTE_MS;
/** A minute with fewer requests is no test: every kind's own level to hold. */
const HOLD_REQS_SHARE = 0.5;

interface Counts {
  tests: number;
  /** By α: tests with at most that p. */
  below: number[];
}

export const calibration: Part = {
  name: "calibration",
  about: "how often p is at most 1e-2 … 1e-6 on quiet traffic",
  run({ seeds, quick, log }) {
    const { fingerprints, hours } = quick ? CALIBRATION.quick : CALIBRATION.full;
    const backgrounds = hasRealCounts() ? (["synthetic", "real"] as const) : (["synthetic"] as const);
    const sections = backgrounds.map((only) => {
      const counts = new Map<KindName, Counts>(
        KINDS.map((kind) => [kind, { tests: 0, below: CALIBRATION.alphas.map(() => 0) }]),
      );
      for (const seed of seeds.calibration) {
        const site = new QuietSite({ seed, fingerprints, only }, START_MINUTE);
        const kinds = overheard(ALL_KINDS, (kind, subject, minute, verdict) => {
          // Each minute once, when it is whole.
          if (minute !== site.readings.site().minuteNow) return;
          if (subject.reqs(minute) < DEFAULT_KIND_SETTINGS[kind].minReqs * HOLD_REQS_SHARE) return;
          const count = counts.get(kind)!;
          count.tests++;
          if (verdict === undefined) return;
          CALIBRATION.alphas.forEach((alpha, i) => {
            if (verdict.p <= alpha) count.below[i]!++;
          });
        });
        const engine = new Engine({ kinds });
        for (let age = 0; age < hours * HOUR_MINUTES; age++) {
          site.step(START_MINUTE + age);
          engine.tick(site.readings.site());
        }
        log(`calibration, ${only}, seed ${seed}: done`);
      }
      return { only, counts };
    });
    return sections.map(({ only, counts }) => ({
      title: `Calibration, ${only} background`,
      notes: [
        `${seeds.calibration.length} × ${fingerprints} fingerprints, ${hours} h. Share of tests with p ≤ α over α: 1 is exact, below is careful. A test: a whole minute with at least half of the kind's \`min_reqs\`; a kind that has nothing to say counts as p = 1.`,
      ],
      plots: [
        {
          name: `calibration-${only}`,
          alt: "share of tests with p at most α, against α",
          svg: curves({
            title: `Share of quiet tests with p ≤ α (${only})`,
            x: { label: "α", values: [...CALIBRATION.alphas], isLog: true },
            series: [
              { name: "exact", y: [...CALIBRATION.alphas] },
              ...[...counts].map(([kind, { tests, below }]) => ({
                name: kind,
                y: below.map((count) => (tests === 0 ? 0 : count / tests)),
              })),
            ],
            isLogY: true,
            format: (value) => value.toExponential(0),
          }),
        },
      ],
      tables: [
        {
          head: ["kind", "tests", ...CALIBRATION.alphas.map((alpha) => `α = ${alpha.toExponential(0)}`)],
          rows: [...counts].map(([kind, { tests, below }]) => [
            kind,
            `${tests}`,
            ...below.map((count, i) =>
              tests === 0 ? "–" : `${(count / tests / CALIBRATION.alphas[i]!).toPrecision(2)} (${count})`,
            ),
          ]),
        },
      ],
    }));
  },
};
