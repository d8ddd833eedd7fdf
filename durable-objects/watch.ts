/**
 * What a shard watches for: runs detectors and thresholds over its window once a tick, and writes episodes and events in
 * one transaction, so that after a restart nothing is raised twice and no event is missing.
 */
import type { ShardSettings } from "../src/api/objects.ts";
import { logWarning } from "../src/base/log.ts";
import { type Random, ulid } from "../src/base/random.ts";
import { rfc3339 } from "../src/base/time.ts";
import { COOLDOWN_DEFAULT_MS, MINUTE_MS } from "../src/config.ts";
import { detect, episodeKey } from "../src/detect/engine.ts";
import type { Cleared } from "../src/detect/episode.ts";
import { anomalyData, anomalyType, fingerprintUrl } from "../src/detect/event.ts";
import { evidenceOf } from "../src/detect/evidence.ts";
import type { EvidenceRing } from "../src/detect/evidence-ring.ts";
import type { Memory } from "../src/detect/memory.ts";
import { DEFAULT_KIND_SETTINGS } from "../src/detect/settings.ts";
import { siteOf } from "../src/detect/site-view.ts";
import type { Episode, Evidence } from "../src/detect/types.ts";
import type { Pulse } from "../src/signals/pulse.ts";
import type { LocalRanks } from "../src/signals/ranks.ts";
import {
  evaluateSiteThresholds,
  evaluateThresholds,
  type SiteNumbers,
  type ThresholdStates,
} from "../src/thresholds/evaluate.ts";
import { thresholdData } from "../src/thresholds/event.ts";
import type { Knowledge } from "../src/thresholds/readings.ts";
import { SITE_SUBJECT, type ThresholdChange, type ThresholdState } from "../src/thresholds/rule.ts";
import { silenceTest } from "../src/thresholds/silences.ts";
import { windowNumber } from "../src/window/snapshot.ts";
import type { Window } from "../src/window/window.ts";
import { feedEvent } from "../src/wire/event.ts";
import type { ShardStore } from "./sql/shard-store.ts";

/** Samples older than this say nothing of what is going on now. */
const EVIDENCE_MS = 2 * MINUTE_MS;

const BUILT_IN = "kind ";
const THRESHOLD = "threshold ";
const CLEARED = "cleared ";

export class Watch {
  readonly #store: ShardStore;
  readonly #window: Window;
  readonly #evidence: EvidenceRing;
  readonly #site: { name: string; origin: string };
  readonly #random: Random;
  #episodes = new Map<string, Episode>();
  #cleared = new Map<string, Cleared>();
  #thresholds: ThresholdStates = new Map();
  /** Samples that could not be read, as told so far. */
  #unreadable = 0;
  /** What is on disk, so that only changes are written. */
  #stored = new Map<string, string>();

  constructor(
    store: ShardStore,
    window: Window,
    evidence: EvidenceRing,
    site: { name: string; origin: string },
    random: Random,
  ) {
    this.#store = store;
    this.#window = window;
    this.#evidence = evidence;
    this.#site = site;
    this.#random = random;
    this.#load();
  }

  /** Whether anything runs that only further ticks can end. */
  get isBusy(): boolean {
    return this.#episodes.size > 0 || this.#thresholds.size > 0;
  }

  /** Active anomalies by fingerprint. */
  episodesOf(ja4: string): Episode[] {
    return [...this.#episodes.values()].filter((episode) => episode.ja4 === ja4);
  }

  /** Highest active score of every anomalous fingerprint. */
  scores(): Map<string, number> {
    const scores = new Map<string, number>();
    for (const { ja4, last } of this.#episodes.values()) {
      scores.set(ja4, Math.max(scores.get(ja4) ?? 0, Math.round(last.score * 100) / 100));
    }
    return scores;
  }

  /** Fingerprints for which each threshold is raised. */
  activeThresholds(): Record<string, string[]> {
    const active: Record<string, string[]> = {};
    for (const [key, state] of this.#thresholds) {
      if (state.phase !== "raised") continue;
      const [id, ja4] = key.split(" ") as [string, string];
      active[id] = [...(active[id] ?? []), ja4];
    }
    return active;
  }

  /** What is known of fingerprints beside the window, for thresholds. */
  knowledge(ranksOf: (ja4: string) => LocalRanks, episodes = this.#episodes): Knowledge {
    const scored = () =>
      [...episodes.values()].map(({ ja4, kind, last }) => ({ ja4, kind, score: last.score }));
    return { ranksOf, scored };
  }

  /** One tick; `memory` learns. Answers how many raises a cooldown kept back. */
  tick(
    settings: ShardSettings,
    firstDataMs: number,
    ranksOf: (ja4: string) => LocalRanks,
    { memory, pulses }: { memory: Memory; pulses: readonly Pulse[] },
  ): number {
    const nowMs = this.#window.nowMs;
    const newId = () => ulid(nowMs, this.#random);
    const isSilenced = this.#silences(settings);
    const found = detect({
      site: siteOf(this.#window, firstDataMs),
      // Settings stored by code that knew fewer kinds lack the others.
      settings: { ...DEFAULT_KIND_SETTINGS, ...settings.detection.kinds },
      episodes: this.#episodes,
      cleared: this.#cleared,
      cooldownMs: COOLDOWN_DEFAULT_MS,
      newId,
      isSilenced,
      memory,
      pulses,
      // A site's promise: each of its shards has its part of it.
      budgetPerDay: settings.detection.alertBudgetPerDay / settings.shards,
    });
    const states: ThresholdStates = new Map(this.#thresholds);
    const crossed = evaluateThresholds(
      settings.thresholds,
      this.#window,
      states,
      nowMs,
      newId,
      this.knowledge(ranksOf, found.episodes),
      (ja4) => isSilenced(ja4, "threshold"),
    );
    const told = [
      ...found.events.map(({ episode }) => episode.ja4),
      ...crossed.changes.map(({ ja4 }) => ja4),
    ];
    const samples = this.#evidence.of(told, nowMs - EVIDENCE_MS);
    const evidenceFor = (ja4: string) => evidenceOf(samples.get(ja4) ?? []);
    const events = [
      ...found.events.map((event) => {
        const { ja4 } = event.episode;
        return this.#event(
          anomalyType(event),
          ja4,
          anomalyData(event, evidenceFor(ja4), this.#url(ja4), nowMs),
        );
      }),
      ...this.#thresholdEvents(crossed.changes, evidenceFor),
    ];
    this.#warnOfSamples();
    this.#save(events, found.episodes, found.cleared, states);
    return found.suppressed + crossed.suppressed;
  }

  /** The site's own thresholds, on the shard that watches them. Answers like `tick`. */
  tickSite(settings: ShardSettings, numbers: SiteNumbers): number {
    const nowMs = this.#window.nowMs;
    const isSilenced = this.#silences(settings);
    const states: ThresholdStates = new Map(this.#thresholds);
    const { changes, suppressed } = evaluateSiteThresholds(
      settings.thresholds,
      numbers,
      states,
      nowMs,
      () => ulid(nowMs, this.#random),
      (subject) => isSilenced(subject, "threshold"),
    );
    const events = this.#thresholdEvents(changes, () => evidenceOf([]));
    this.#save(events, this.#episodes, this.#cleared, states);
    return suppressed;
  }

  #silences({ silences }: ShardSettings): (ja4: string, kind: string) => boolean {
    const window = this.#window;
    return silenceTest(silences, window.nowMs, (ja4) => {
      const id = window.fingerprints.id(ja4);
      return id === undefined ? undefined : windowNumber(window, id, "1h", "bot_ratio");
    });
  }

  #thresholdEvents(changes: readonly ThresholdChange[], evidenceFor: (ja4: string) => Evidence): string[] {
    return changes.map((change) => {
      const { ja4, type } = change;
      const data = thresholdData(change, evidenceFor(ja4), this.#url(ja4), this.#window.nowMs);
      return this.#event(`hellotide.threshold.${type}`, ja4, data);
    });
  }

  #event(type: string, ja4: string, data: Parameters<typeof feedEvent>[5]): string {
    const nowMs = this.#window.nowMs;
    return JSON.stringify(
      feedEvent(this.#site.name, type, ja4, ulid(nowMs, this.#random), rfc3339(nowMs), data),
    );
  }

  /** An anomaly goes out without evidence that cannot be read; that something is wrong with a sender must still show. */
  #warnOfSamples(): void {
    const { unreadable } = this.#evidence;
    if (unreadable > this.#unreadable)
      logWarning({
        event: "samples_unreadable",
        site: this.#site.name,
        count: unreadable - this.#unreadable,
      });
    this.#unreadable = unreadable;
  }

  #url(ja4: string): string {
    const { origin, name } = this.#site;
    return ja4 === SITE_SUBJECT ? `${origin}/#/sites/${name}` : fingerprintUrl(origin, name, ja4);
  }

  /** Everything that must outlive a restart, by key. A pending threshold is not: its `for` starts again. */
  static #lasting(
    episodes: ReadonlyMap<string, Episode>,
    clears: ReadonlyMap<string, Cleared>,
    thresholds: ThresholdStates,
  ): Map<string, string> {
    const lasting = new Map<string, string>();
    for (const [key, episode] of episodes) lasting.set(BUILT_IN + key, JSON.stringify(storable(episode)));
    for (const [key, cleared] of clears) lasting.set(CLEARED + key, JSON.stringify(cleared));
    for (const [key, state] of thresholds) {
      if (state.phase !== "pending") lasting.set(THRESHOLD + key, JSON.stringify(state));
    }
    return lasting;
  }

  /** Disk first: when it fails, the tick has not happened, and the next one says what this one would have said. */
  #save(
    events: readonly string[],
    episodes: Map<string, Episode>,
    cleared: Map<string, Cleared>,
    thresholds: ThresholdStates,
  ): void {
    const lasting = Watch.#lasting(episodes, cleared, thresholds);
    this.#store.transaction(() => {
      this.#store.pushOutbox(events);
      for (const [key, state] of lasting) {
        if (this.#stored.get(key) !== state) this.#store.putEpisode(key, state);
      }
      for (const key of this.#stored.keys()) if (!lasting.has(key)) this.#store.deleteEpisode(key);
    });
    this.#stored = lasting;
    this.#episodes = episodes;
    this.#cleared = cleared;
    this.#thresholds = thresholds;
  }

  #load(): void {
    for (const { key, state } of this.#store.episodes()) {
      this.#stored.set(key, state);
      const value = JSON.parse(state) as unknown;
      if (key.startsWith(BUILT_IN)) {
        const episode = value as Episode;
        this.#episodes.set(episodeKey(episode.kind, episode.ja4), episode);
      } else if (key.startsWith(CLEARED)) this.#cleared.set(key.slice(CLEARED.length), value as Cleared);
      else this.#thresholds.set(key.slice(THRESHOLD.length), value as ThresholdState);
    }
  }
}

/**
 * The times that move with every tick are rounded down to the minute on disk, so that a running episode costs a row a
 * minute and not one a tick; after a restart it may end a minute early at worst.
 */
function storable(episode: Episode): Episode {
  const minute = (ms: number) => Math.floor(ms / MINUTE_MS) * MINUTE_MS;
  return { ...episode, heldAtMs: minute(episode.heldAtMs), seenAtMs: minute(episode.seenAtMs) };
}
