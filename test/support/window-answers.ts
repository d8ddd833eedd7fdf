/** All that a window answers, to compare two of them. */
import { WINDOWS } from "../../src/config.ts";
import { PARTS } from "../../src/window/families.ts";
import { windowNumbers } from "../../src/window/snapshot.ts";
import { minuteOf } from "../../src/window/time.ts";
import type { Window } from "../../src/window/window.ts";

/** Minutes before now whose tallies are looked at. */
const MINUTES = [0, 1, 7, 59];

export function answersOf(window: Window) {
  const { fingerprints } = window;
  const minute = minuteOf(window.nowMs);
  return {
    nowMs: window.nowMs,
    firstDataMs: window.firstDataMs,
    isEmpty: window.isEmpty,
    idEnd: fingerprints.idEnd,
    fingerprints: [...fingerprints.ids()].map((id) => ({
      id,
      ja4: fingerprints.ja4(id),
      known: fingerprints.id(fingerprints.ja4(id)),
      seen: [fingerprints.firstSeenMs(id), fingerprints.lastSeenMs(id)],
      numbers: WINDOWS.map((name) => windowNumbers(window, id, name)),
      tallies: WINDOWS.map((name) => window.tally(id, name).slice()),
      minutes: MINUTES.map((ago) => window.minute(id, minute - ago)?.slice()),
      signals: signalsOf(window, id),
      scores: window.botScores(id),
    })),
    totals: WINDOWS.map((name) => window.total(name)),
    families: PARTS.map((part) => window.families(part)),
    ranks: window.rankValues(),
    pressure: window.pressure(),
  };
}

/** Reserved bytes, but for the lists of what waits in inboxes: an image does not hold their spare room. */
export function memoryOf(window: Window): Record<string, number> {
  const { tracked: _, ...memory } = window.memory();
  return memory;
}

function signalsOf(window: Window, id: number): { seenAtMs: number; values: Float64Array } | undefined {
  const seen = window.signals(id);
  return seen && { seenAtMs: seen.seenAtMs, values: seen.values.slice() };
}
