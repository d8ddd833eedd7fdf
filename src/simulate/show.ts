/** The show: scenes one after another over the background, as one stream of traffic. */
import { SECOND_MS } from "../config.ts";
import { Background, type BackgroundOptions } from "./background.ts";
import { byTime, type ObservationRecord, type Traffic } from "./record.ts";
import type { Label, Scenario, Scene } from "./scenario.ts";
import { flashCrowd } from "./scenarios/flash-crowd.ts";
import { flood } from "./scenarios/flood.ts";
import { impostor } from "./scenarios/impostor.ts";
import { pathScan } from "./scenarios/path-scan.ts";
import { randomised } from "./scenarios/randomised.ts";
import { release } from "./scenarios/release.ts";
import { stuffing } from "./scenarios/stuffing.ts";
import { uaRotation } from "./scenarios/ua-rotation.ts";

/** In the order in which they are shown. */
export const SCENARIOS: readonly Scenario[] = [
  flood,
  release,
  stuffing,
  uaRotation,
  pathScan,
  impostor,
  randomised,
  flashCrowd,
];

/** An attack must be on the feed within this time of its start; scenes begin about as far apart. */
export const RAISE_WITHIN_MS = 60 * SECOND_MS;

export class Show implements Traffic {
  readonly background: Background;
  #scenes: readonly Scene[] = [];

  constructor(options: BackgroundOptions) {
    this.background = new Background(options);
  }

  /** Adds one round of scenes, the first at `startMs`, the next `everyMs` later and so on. */
  addRound(
    scenarios: readonly Scenario[],
    round: number,
    startMs: number,
    everyMs: number,
  ): readonly Label[] {
    const added = scenarios.map((scenario, i) =>
      scenario.play({ background: this.background, round, startMs: startMs + i * everyMs }),
    );
    this.#scenes = [...this.#scenes, ...added];
    return added.map(({ label }) => label);
  }

  between(fromMs: number, toMs: number): ObservationRecord[] {
    const playing = this.#scenes.filter(({ label }) => label.startMs < toMs && label.endMs > fromMs);
    const records = this.background.between(fromMs, toMs);
    for (const scene of playing) for (const record of scene.between(fromMs, toMs)) records.push(record);
    return byTime(records);
  }
}

/** Whether a label's fingerprints include this one. */
export function isActor(label: Label, ja4: string): boolean {
  return label.ja4.some((name) => (name.endsWith("*") ? ja4.startsWith(name.slice(0, -1)) : name === ja4));
}
