/** The shard's own engine, tick by tick, with what it has running between two ticks. */
import { COOLDOWN_DEFAULT_MS } from "../../../src/config.ts";
import { detect } from "../../../src/detect/engine.ts";
import type { Cleared } from "../../../src/detect/episode.ts";
import { ALL_KINDS } from "../../../src/detect/kinds/all.ts";
import { Memory } from "../../../src/detect/memory.ts";
import { DEFAULT_KIND_SETTINGS } from "../../../src/detect/settings.ts";
import { advanceSite, NO_TRACE, type SiteEpisode, type SiteKind } from "../../../src/detect/site/events.ts";
import { pulseOf } from "../../../src/detect/site/pulse.ts";
import type {
  Episode,
  EpisodeEvent,
  GroupKind,
  Kind,
  KindName,
  KindSettings,
  Site,
  Subject,
  Verdict,
} from "../../../src/detect/types.ts";

/** One raise: what the evaluation judges. */
export interface Raise {
  kind: KindName;
  ja4: string;
  atMs: number;
  score: number;
}

export interface EngineOptions {
  kinds?: readonly (Kind | GroupKind)[];
  settings?: Record<KindName, KindSettings>;
  budgetPerDay?: number;
  memory?: Memory;
  /** Nobody tells it what the whole site does. */
  withoutCrowd?: boolean;
}

export class Engine {
  readonly raises: Raise[] = [];
  /** CPU time of all ticks, and fingerprints that were there in them. */
  cpuUs = 0;
  seen = 0;
  ticks = 0;
  readonly #options: EngineOptions;
  #episodes: ReadonlyMap<string, Episode> = new Map();
  #cleared: ReadonlyMap<string, Cleared> = new Map();
  #ids = 0;
  readonly memory: Memory;
  #running: ReadonlyMap<SiteKind, SiteEpisode> = new Map();
  #trace = NO_TRACE;
  /** What was told of the site as a whole. */
  readonly siteRaises: { kind: SiteKind; atMs: number }[] = [];

  constructor(options: EngineOptions = {}) {
    this.#options = options;
    this.memory = options.memory ?? new Memory();
  }

  /** Bytes of what runs, as the shard stores it. */
  get stateBytes(): number {
    return JSON.stringify([...this.#episodes.values(), ...this.#cleared.values()]).length;
  }

  tick(site: Site): EpisodeEvent[] {
    const before = process.cpuUsage();
    const pulses = [pulseOf(site)];
    const found = detect({
      site,
      pulses: this.#options.withoutCrowd === true ? [] : pulses,
      settings: this.#options.settings ?? DEFAULT_KIND_SETTINGS,
      episodes: this.#episodes,
      cleared: this.#cleared,
      cooldownMs: COOLDOWN_DEFAULT_MS,
      newId: () => `a${this.#ids++}`,
      memory: this.memory,
      ...(this.#options.budgetPerDay === undefined ? {} : { budgetPerDay: this.#options.budgetPerDay }),
      kinds: this.#options.kinds ?? ALL_KINDS,
    });
    const moved = advanceSite(this.#running, this.#trace, {
      nowMs: site.asOfMs,
      firstDataMs: site.firstDataMs,
      pulses,
      newId: () => `s${this.#ids++}`,
    });
    this.#running = moved.running;
    this.#trace = moved.trace;
    for (const { type, episode } of moved.events)
      if (type === "raised") this.siteRaises.push({ kind: episode.kind, atMs: site.asOfMs });
    const used = process.cpuUsage(before);
    this.cpuUs += used.user + used.system;
    this.ticks++;
    for (const _ of site.subjects()) this.seen++;
    this.#episodes = found.episodes;
    this.#cleared = found.cleared;
    for (const { type, episode } of found.events) {
      if (type !== "raised") continue;
      const { kind, ja4, last } = episode;
      this.raises.push({ kind, ja4, atMs: site.asOfMs, score: last.score });
    }
    return found.events;
  }
}

/** Hears every verdict of a test; `verdict` absent = it had nothing to say. */
export type Listener = (
  kind: KindName,
  subject: Subject,
  minute: number,
  verdict: Verdict | undefined,
) => void;

/** The kinds that test single fingerprints, overheard. What they say is not changed. */
export function overheard(kinds: readonly (Kind | GroupKind)[], listen: Listener): Kind[] {
  return kinds
    .filter((kind) => "prepare" in kind)
    .map((kind) => ({
      ...kind,
      prepare(site, settings, memory) {
        const test = kind.prepare(site, settings, memory);
        return (subject, minute) => {
          const verdict = test(subject, minute);
          listen(kind.name, subject, minute, verdict);
          return verdict;
        };
      },
    }));
}
