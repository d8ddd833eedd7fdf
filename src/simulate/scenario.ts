/** What happens on top of the background, and what a detector should say of it. */
import { SECOND_MS } from "../config.ts";
import { type Background, browsersOf } from "./background.ts";
import { type Client, clientOf, SCRIPT_FAMILIES } from "./clients.ts";
import { CHROMIUM } from "./ja4-table.ts";
import { Draw } from "./random.ts";
import { byTime, type ObservationRecord, type Traffic } from "./record.ts";

/** The truth about one scene. */
export interface Label {
  readonly scene: string;
  readonly title: string;
  /** One plain sentence: what is done, by whom. */
  readonly sentence: string;
  /** Fingerprints that take part; a `*` at the end stands for any. */
  readonly ja4: readonly string[];
  readonly startMs: number;
  readonly endMs: number;
  /** Kinds that must be raised; none = harmless, or nothing can see it yet. */
  readonly expects: readonly string[];
  /** Kinds that are true as well and no fault when raised. */
  readonly also: readonly string[];
  /** What a reader should know about the expectation. */
  readonly note?: string;
}

export interface Scene extends Traffic {
  readonly label: Label;
}

/** Where and when a scene plays. */
export interface Stage {
  readonly background: Background;
  /** From 0; every round has other actors, since a detector that has just spoken of one keeps quiet about it. */
  readonly round: number;
  readonly startMs: number;
}

export interface Scenario {
  readonly name: string;
  readonly durationMs: number;
  /** Goes on after the show; nobody waits for its end. */
  readonly ongoing?: boolean;
  play(stage: Stage): Scene;
}

/** How many scenes choose from the automated clients, each with a turn of its own. */
const SCRIPT_ROLES = ["flood", "stuffing", "ua-rotation", "path-scan"] as const;

/** An automated client of the background that turns bad: one that no other scene of this and the next rounds uses. */
export function scriptFor(role: (typeof SCRIPT_ROLES)[number], { background, round }: Stage): Client {
  const scripts = background.clients.filter(({ family }) => SCRIPT_FAMILIES.includes(family));
  const client = scripts[(round * SCRIPT_ROLES.length + SCRIPT_ROLES.indexOf(role)) % scripts.length];
  if (client === undefined) throw new RangeError("the background has no automated client");
  return client;
}

/** A real Chromium that is seen here now and then, with all that the world knows of it. */
export function rareChromium({ background, round }: Stage): Client {
  const rare = background.clients.filter(({ ja4 }) => CHROMIUM.includes(ja4));
  const client = rare[round % rare.length];
  if (client === undefined) throw new RangeError("the background has no Chromium");
  const { ja4, family, reqsPerMinute } = client;
  return clientOf(background.seed, ja4, family, { reqsPerMinute, complete: true });
}

export function allBrowsers({ background }: Stage): Client[] {
  return browsersOf(background);
}

export interface Script {
  /** Requests a second, by seconds since the start. */
  rate(second: number): number;
  request(timestampMs: number, draw: Draw): ObservationRecord;
}

/** Requests by the second, each second named by seed, scene and time: any stretch can be made by itself. */
export function perSecond(stage: Stage, label: Label, { rate, request }: Script): Scene {
  const second = (at: number): ObservationRecord[] => {
    const draw = new Draw(stage.background.seed, label.scene, label.startMs, at);
    return Array.from({ length: draw.poisson(rate(at)) }, () =>
      request(Math.floor(label.startMs + (at + draw.uniform()) * SECOND_MS), draw),
    );
  };
  return {
    label,
    between(fromMs, toMs) {
      const from = Math.max(fromMs, label.startMs);
      const to = Math.min(toMs, label.endMs);
      const records: ObservationRecord[] = [];
      for (
        let at = Math.floor((from - label.startMs) / SECOND_MS);
        label.startMs + at * SECOND_MS < to;
        at++
      ) {
        for (const record of second(at)) {
          if (record.timestamp >= from && record.timestamp < to) records.push(record);
        }
      }
      return byTime(records);
    },
  };
}
