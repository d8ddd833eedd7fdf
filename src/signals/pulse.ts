/**
 * The pulse of a shard: what the site as a whole is told by, from each shard to the Census and back to all of them. Small:
 * some hundred bytes and a point for each of its busiest fingerprints. Like everything between shard and Census it may come
 * from older or newer code, so it is read as unknown, and one in another form is as good as none.
 */

/** Points of a pulse at most. */
export const PULSE_POINTS_MAX = 64;

export interface Pulse {
  /** When the shard looked, ms. */
  asOfMs: number;
  /** Requests with a JA4 of the last 60 s, and of a minute of the ten before the last two on average. */
  reqs: number;
  usual: number;
  /** All requests of the last 60 s; and of the hour, with a JA4 and in all. */
  all: number;
  hourReqs: number;
  hourAll: number;
  /** Of busy fingerprints: requests of the last 60 s over the usual minute, and what the point weighs. */
  points: [number, number][];
  /** Fingerprints whose errors can be told, how many of them have far more than in their hour. */
  tellers: number;
  failing: number;
  /** Observations by the way they came, since the first start. */
  sources: Record<string, number>;
}

const NUMBERS = ["asOfMs", "reqs", "usual", "all", "hourReqs", "hourAll", "tellers", "failing"] as const;

/** `undefined` unless it is a pulse that this code knows. */
export function readPulse(told: unknown): Pulse | undefined {
  if (typeof told !== "object" || told === null) return undefined;
  const pulse = told as Record<string, unknown>;
  if (!NUMBERS.every((name) => isCount(pulse[name]))) return undefined;
  const { points, sources } = pulse;
  if (!Array.isArray(points) || points.length > PULSE_POINTS_MAX || !points.every(isPoint)) return undefined;
  if (typeof sources !== "object" || sources === null || !Object.values(sources).every(isCount))
    return undefined;
  return pulse as unknown as Pulse;
}

function isPoint(point: unknown): boolean {
  return Array.isArray(point) && point.length === 2 && point.every(isCount);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
