import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { evaluateThresholds, type ThresholdStates } from "../../src/thresholds/evaluate.ts";
import {
  OPERATORS,
  scopeTest,
  step,
  type Threshold,
  type ThresholdChange,
} from "../../src/thresholds/rule.ts";
import { WINDOW_SIGNALS, type WindowSignal } from "../../src/thresholds/signals.ts";
import { windowNumber } from "../../src/window/snapshot.ts";
import { Window } from "../../src/window/window.ts";
import { factBits } from "../../src/wire/flags.ts";
import { frameOf, ja4Of, type Observed } from "../support/window-frames.ts";

const NOW = 1_763_899_200_000;
const TICK_MS = 5_000;
const SEED = 20_261_126;
const RUNS = 400;
const newId = () => "id";

const comparison = fc.record({
  signal: fc.constantFrom(...WINDOW_SIGNALS),
  window: fc.constantFrom("1m" as const, "5m" as const, "1h" as const),
  op: fc.constantFrom(...OPERATORS),
  value: fc.constantFrom(0, 0.5, 1, 2, 4),
});

const threshold: fc.Arbitrary<Omit<Threshold, "id">> = fc.record({
  enabled: fc.constantFrom(true, true, true, false),
  ja4: fc.constantFrom(undefined, ["*1"], ["*0", "*2"], [ja4Of(3)]),
  severity: fc.constant("warning" as const),
  when: fc.record({
    mode: fc.constantFrom("all" as const, "any" as const),
    comparisons: fc.array(comparison, { minLength: 1, maxLength: 3 }),
  }),
  forMs: fc.constantFrom(0, TICK_MS),
  clear: fc.record({ value: fc.constantFrom(undefined, 1), forMs: fc.constantFrom(0, TICK_MS) }),
  cooldownMs: fc.constantFrom(0, 3 * TICK_MS),
  minReqs: fc.constantFrom(0, 1, 3),
  onMissing: fc.constantFrom("skip" as const, "fire" as const),
  expiresAtMs: fc.constantFrom(undefined, NOW + 2 * TICK_MS),
});

/** Before each tick: how long since the last one, and what comes in. */
const traffic = fc.array(
  fc.record({
    pauseMs: fc.constantFrom(TICK_MS, 70_000),
    /** Fingerprint, seconds before the tick, address (or none), error (or unknown). */
    rows: fc.array(
      fc.tuple(
        fc.nat(4),
        fc.constantFrom(0, 50, 200),
        fc.option(fc.nat(3)),
        fc.constantFrom(undefined, true, false),
      ),
      { maxLength: 15 },
    ),
  }),
  { minLength: 6, maxLength: 12 },
);

type Row = [fp: number, agoS: number, ip: number | null, error: boolean | undefined];

function observedAt(nowMs: number): (row: Row) => Observed {
  return ([fp, agoS, ip, error]) => ({
    at: nowMs - agoS * 1_000,
    ja4: ja4Of(fp),
    facts: factBits("error", error),
    ...(ip === null ? {} : { ip }),
  });
}

/** Every threshold against every fingerprint, with every number looked up. */
function oracle(thresholds: readonly Threshold[], window: Window, states: ThresholdStates, nowMs: number) {
  const changes: ThresholdChange[] = [];
  let suppressed = 0;
  for (const one of thresholds) {
    if (!one.enabled || (one.expiresAtMs !== undefined && nowMs >= one.expiresAtMs)) continue;
    for (const id of window.fingerprints.ids()) {
      const ja4 = window.fingerprints.ja4(id);
      if (!scopeTest(one)(ja4)) continue;
      const key = `${one.id} ${ja4}`;
      const seen = one.when.comparisons.map(({ signal, window: name = "1h" }) => ({
        reqs: window.reqs(id, name),
        value: windowNumber(window, id, name, signal as WindowSignal),
      }));
      const result = step(one, ja4, states.get(key), seen, nowMs, newId);
      if (result.suppressed) suppressed++;
      changes.push(...result.changes);
      if (result.state === undefined) states.delete(key);
      else states.set(key, result.state);
    }
  }
  return { changes, suppressed };
}

describe("all thresholds against all fingerprints", () => {
  it(`RULE-9: a tick says what comparing each with each would say (seed ${SEED})`, () => {
    let raised = 0;
    let cleared = 0;
    fc.assert(
      fc.property(fc.array(threshold, { minLength: 1, maxLength: 4 }), traffic, (rules, ticks) => {
        const thresholds = rules.map((rule, i) => ({ ...rule, id: `threshold-${i}` }));
        const window = new Window(1);
        const states: ThresholdStates = new Map();
        const expected: ThresholdStates = new Map();
        let nowMs = NOW;
        for (const { pauseMs, rows } of ticks) {
          nowMs += pauseMs;
          window.apply(frameOf(rows.map(observedAt(nowMs))), nowMs);
          const should = oracle(thresholds, window, expected, nowMs);
          const is = evaluateThresholds(thresholds, window, states, nowMs, newId);
          // A threshold that expires has its own end, which the oracle does not know.
          const ended = is.changes.filter(({ reason }) => reason === "disabled");
          for (const { thresholdId, ja4 } of ended) expected.delete(`${thresholdId} ${ja4}`);
          expect(is.changes.filter((change) => !ended.includes(change))).toEqual(should.changes);
          expect(is.suppressed).toBe(should.suppressed);
          const running = new Set(
            thresholds
              .filter(({ expiresAtMs }) => expiresAtMs === undefined || nowMs < expiresAtMs)
              .map(({ id }) => id),
          );
          for (const key of expected.keys()) if (!running.has(key.split(" ")[0]!)) expected.delete(key);
          expect(new Map([...states].sort())).toEqual(new Map([...expected].sort()));
          raised += is.changes.filter(({ type }) => type === "raised").length;
          cleared += is.changes.filter(({ reason }) => reason === "recovered").length;
        }
      }),
      { seed: SEED, numRuns: RUNS },
    );
    // Otherwise it would have compared nothing with nothing.
    expect(Math.min(raised, cleared)).toBeGreaterThan(RUNS / 20);
  });
});
