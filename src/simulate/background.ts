/**
 * An ordinary day of a shop. For every fingerprint and minute a level (gamma) and from it a number of visits (Poisson),
 * named by seed, fingerprint and minute: the past and the present come from the same code, however they are cut.
 */
import { HOUR_MS, MINUTE_MS } from "../config.ts";
import { BROWSERS } from "./agents.ts";
import { type Client, population } from "./clients.ts";
import { Draw } from "./random.ts";
import { byTime, type ObservationRecord, type Traffic } from "./record.ts";
import { VISIT_MAX_MS, visit, visitRequests } from "./visit.ts";

export interface BackgroundOptions {
  readonly seed: number;
  /** Fingerprints; about 140 of them have real values, further ones are made up. */
  readonly fingerprints?: number;
  /** Of the whole site, on a day's average. */
  readonly reqsPerMinute?: number;
  /** Half the swing between night and evening; 0 = the same all day. */
  readonly dailySwing?: number;
}

const FINGERPRINTS_DEFAULT = 150;
const REQS_PER_MINUTE_DEFAULT = 1_200;
const DAILY_SWING_DEFAULT = 0.25;
/** UTC hour of the busiest moment. */
const PEAK_HOUR = 19;
const DAY_MS = 24 * HOUR_MS;
/** Minutes before one in which visits may have begun that still go on. */
const LOOK_BACK_MINUTES = Math.ceil(VISIT_MAX_MS / MINUTE_MS);
const MINUTES_KEPT = 4;

export class Background implements Traffic {
  readonly seed: number;
  readonly clients: readonly Client[];
  readonly #swing: number;
  /** Visits by the minute in which they begin: live traffic asks for each minute sixty times. */
  readonly #minutes = new Map<number, ObservationRecord[]>();

  constructor(options: BackgroundOptions) {
    this.seed = options.seed;
    this.clients = population({
      seed: options.seed,
      fingerprints: options.fingerprints ?? FINGERPRINTS_DEFAULT,
      reqsPerMinute: options.reqsPerMinute ?? REQS_PER_MINUTE_DEFAULT,
    });
    this.#swing = options.dailySwing ?? DAILY_SWING_DEFAULT;
  }

  between(fromMs: number, toMs: number): ObservationRecord[] {
    if (toMs <= fromMs) return [];
    const records: ObservationRecord[] = [];
    const last = Math.floor((toMs - 1) / MINUTE_MS);
    for (let minute = Math.floor(fromMs / MINUTE_MS) - LOOK_BACK_MINUTES; minute <= last; minute++) {
      for (const record of this.#begunIn(minute)) {
        if (record.timestamp >= fromMs && record.timestamp < toMs) records.push(record);
      }
    }
    return byTime(records);
  }

  #begunIn(minute: number): readonly ObservationRecord[] {
    let records = this.#minutes.get(minute);
    if (records === undefined) {
      records = this.clients.flatMap((client) => visitsIn(client, minute, this.seed, this.#level(minute)));
      this.#minutes.set(minute, records);
      for (const held of this.#minutes.keys()) if (held < minute - MINUTES_KEPT) this.#minutes.delete(held);
    }
    return records;
  }

  #level(minute: number): number {
    const phase = (2 * Math.PI * (minute * MINUTE_MS - PEAK_HOUR * HOUR_MS)) / DAY_MS;
    return 1 + this.#swing * Math.cos(phase);
  }
}

/** Visits that one client begins in a minute. `level` multiplies its usual rate; `part` names other streams of it. */
export function visitsIn(
  client: Client,
  minute: number,
  seed: number,
  level: number,
  part = "visits",
): ObservationRecord[] {
  const draw = new Draw(seed, part, client.ja4, minute);
  const visits = (client.reqsPerMinute * level) / visitRequests(client.family);
  if (client.family === "monitor") return knocks(client, minute, visits, draw);
  const count = draw.poisson(visits * draw.gamma(1 / client.phi) * client.phi);
  const records: ObservationRecord[] = [];
  for (let i = 0; i < count; i++) {
    for (const record of visit(client, (minute + draw.uniform()) * MINUTE_MS, draw)) records.push(record);
  }
  return records;
}

/** A monitor is a clock: evenly spaced, the same number every minute. */
function knocks(client: Client, minute: number, perMinute: number, draw: Draw): ObservationRecord[] {
  const count = Math.max(1, Math.round(perMinute));
  return Array.from({ length: count }, (_, i) =>
    visit(client, (minute + (i + 0.1) / count) * MINUTE_MS, draw),
  ).flat();
}

export function browsersOf(background: Background): Client[] {
  return background.clients.filter(({ family }) => BROWSERS.includes(family));
}
