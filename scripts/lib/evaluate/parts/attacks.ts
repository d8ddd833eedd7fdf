/** Every attack of the list through a real window, tick by tick, over both backgrounds: what is found, when, and what is not true. */
import { ATTACKS } from "../../../../evaluation/parameters.ts";
import { HOUR_MS, MINUTE_MS, SLOT_MS } from "../../../../src/config.ts";
import { siteOf } from "../../../../src/detect/site-view.ts";
import { KINDS } from "../../../../src/detect/types.ts";
import { REQS, type Tally } from "../../../../src/window/tally.ts";
import { Window } from "../../../../src/window/window.ts";
import { Dice } from "../dice.ts";
import { Engine, type Raise } from "../engine.ts";
import { memberOf } from "../members.ts";
import { START_MINUTE } from "../places.ts";
import { QuietSite } from "../quiet.ts";
import { minuteEndMs, Rows, type Sender, senderOf } from "../rows.ts";
import {
  attackTally,
  covers,
  durationMs,
  type Label,
  SCENARIO_NAMES,
  type ScenarioName,
  TRUTH,
} from "../scenarios.ts";
import { type Part, seconds, withInterval } from "../section.ts";
import { quantile, shareOf } from "../stats.ts";

const HOUR_MINUTES = HOUR_MS / MINUTE_MS;
/** Quiet minutes between two attacks: more than a cooldown and the clearing. */
const GAP_MINUTES = 20;
/** Attacks begin at any second of their minute. */
const MINUTE_SECONDS = 60;
/** Each of these is a different fingerprint that does its attack once. */
const RANDOMISED_FRONT = "t13d4907h2_0d8feac7bc37_";

interface Run {
  labels: Label[];
  raises: Raise[];
}

/** One request of such a tally. */
function oneOf(tally: Tally, dice: Dice): Tally {
  const one = tally.map((count) => (dice.chance(count / tally[REQS]!) ? 1 : 0));
  one[REQS] = 1;
  return one;
}

/** One site on which every scenario happens once, one after another. */
function play(seed: number, repeat: number, fingerprints: number, hours: number): Run {
  const dice = new Dice(seed, "attacks", repeat);
  const options = { seed: seed * 1_000 + repeat, fingerprints };
  const order = dice.shuffle(SCENARIO_NAMES);
  let minute = START_MINUTE + ATTACKS.warmUpHours * HOUR_MINUTES + 5;
  const bad = order.map((scenario) => {
    const { families } = TRUTH[scenario];
    const rate = ATTACKS.baseRates[dice.int(ATTACKS.baseRates.length)]!;
    const member =
      families.length === 0 ? undefined : memberOf(dice, families[dice.int(families.length)]!, rate, options);
    const startMs = minute * MINUTE_MS + dice.int(MINUTE_SECONDS) * 1_000;
    minute += Math.ceil(durationMs(scenario) / MINUTE_MS) + GAP_MINUTES;
    const ja4 =
      member?.ja4 ??
      (scenario === "ja4_randomised"
        ? `${RANDOMISED_FRONT}*`
        : RANDOMISED_FRONT.replace("4907", "4808") + dice.hex(12));
    return { member, label: { scenario, ja4, startMs, endMs: startMs + durationMs(scenario) } };
  });
  const members = bad.flatMap(({ member }) => (member === undefined ? [] : [member]));
  const quiet = new QuietSite(options, START_MINUTE, {}, members);
  const window = new Window(1);
  const rows = new Rows(window);
  const engine = new Engine();
  const senders = new Map<string, Sender>();
  const sender = (ja4: string, global: Sender["global"]): Sender => {
    const known = senders.get(ja4) ?? senderOf(ja4, global);
    senders.set(ja4, known);
    return known;
  };
  const last = Math.min(minute, START_MINUTE + hours * HOUR_MINUTES);
  for (let now = START_MINUTE; now < last; now++) {
    quiet.step(now, (fp, tally, firstMs) => {
      const { ja4, global } = quiet.members[fp]!;
      rows.add(sender(ja4, global), tally, firstMs, minuteEndMs(now), quiet.readings.isNew(fp), dice);
    });
    const minuteMs = now * MINUTE_MS;
    for (const { member, label } of bad) {
      for (let fromMs = minuteMs; fromMs < minuteMs + MINUTE_MS; fromMs += SLOT_MS) {
        const toMs = fromMs + SLOT_MS;
        if (toMs <= label.startMs || fromMs >= label.endMs) continue;
        const tally = attackTally(label, member, { fromMs, toMs }, dice);
        if (label.scenario !== "ja4_randomised") {
          rows.add(sender(label.ja4, member?.global), tally, fromMs + 1, toMs, false, dice);
          continue;
        }
        for (let i = 0; i < tally[REQS]!; i++) {
          const one = oneOf(tally, dice);
          const atMs = fromMs + 1 + dice.int(SLOT_MS - 1);
          rows.add(senderOf(RANDOMISED_FRONT + dice.hex(12), undefined), one, atMs, toMs, true, dice);
        }
      }
    }
    for (let ms = minuteMs + SLOT_MS; ms <= minuteEndMs(now); ms += SLOT_MS) {
      rows.send(ms);
      engine.tick(siteOf(window, window.firstDataMs));
    }
  }
  return {
    labels: bad.map(({ label }) => label).filter(({ endMs }) => endMs <= last * MINUTE_MS),
    raises: engine.raises,
  };
}

export const attacks: Part = {
  name: "attacks",
  about: "every attack: recall and precision of each kind, confusion, latency",
  run({ seeds, quick, log }) {
    const { fingerprints, hours, repeats } = quick ? ATTACKS.quick : ATTACKS.full;
    const runs: Run[] = [];
    for (const seed of seeds.attacks) {
      for (let repeat = 0; repeat < repeats; repeat++) {
        runs.push(play(seed, repeat, fingerprints, hours));
        log(`attacks, seed ${seed}: ${repeat + 1} of ${repeats}, ${runs.at(-1)!.raises.length} raises`);
      }
    }
    return [
      {
        title: "Attacks",
        notes: [
          `${runs.length} sites of ${fingerprints} fingerprints, each attack once on each that lasts long enough, through the real window with a tick every ${SLOT_MS / 1_000} s. Found: a raise of an expected kind from the start to ${ATTACKS.graceMinutes} minutes after the end. Latency from the attack's first second.`,
        ],
        tables: [recallTable(runs), precisionTable(runs), confusionTable(runs)],
      },
    ];
  },
};

function recallTable(runs: readonly Run[]) {
  const rows = SCENARIO_NAMES.flatMap((scenario) =>
    TRUTH[scenario].expects.map((kind) => {
      const latencies: number[] = [];
      let n = 0;
      for (const { labels, raises } of runs) {
        for (const label of labels.filter((one) => one.scenario === scenario)) {
          n++;
          const first = raises.find((raise) => raise.kind === kind && covers(label, raise.ja4, raise.atMs));
          if (first !== undefined) latencies.push(first.atMs - label.startMs);
        }
      }
      return [
        scenario,
        kind,
        withInterval(shareOf(latencies.length, n)),
        seconds(quantile(latencies, 0.5)),
        seconds(quantile(latencies, 0.95)),
      ];
    }),
  );
  return { head: ["attack", "expected kind", "recall (95 %)", "latency p50", "p95"], rows };
}

/** The label that a raise is about, if any. */
function labelOf({ labels }: Run, { ja4, atMs }: Raise): Label | undefined {
  return labels.find((label) => covers(label, ja4, atMs));
}

function isTrue(kind: string, { scenario }: Label): boolean {
  const { expects, also } = TRUTH[scenario];
  return expects.includes(kind) || also.includes(kind);
}

function precisionTable(runs: readonly Run[]) {
  const rows = KINDS.map((kind) => {
    let [right, other, background] = [0, 0, 0];
    for (const run of runs) {
      for (const raise of run.raises.filter((one) => one.kind === kind)) {
        const label = labelOf(run, raise);
        if (label === undefined) background++;
        else if (isTrue(kind, label)) right++;
        else other++;
      }
    }
    return [kind, withInterval(shareOf(right, right + other + background)), `${other}`, `${background}`];
  });
  return { head: ["kind", "precision (95 %)", "on another attack", "on the background"], rows };
}

function confusionTable(runs: readonly Run[]) {
  const rows = SCENARIO_NAMES.map((scenario: ScenarioName) => [
    scenario,
    ...KINDS.map((kind) => {
      let found = 0;
      for (const { labels, raises } of runs)
        for (const label of labels.filter((one) => one.scenario === scenario))
          if (raises.some((raise) => raise.kind === kind && covers(label, raise.ja4, raise.atMs))) found++;
      return found === 0 ? "" : `${found}`;
    }),
  ]);
  return { head: ["attacks on which a kind was raised", ...KINDS], rows };
}
