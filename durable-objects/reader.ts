/** What is read of a shard (contract §4): its window, ranks and episodes put into the shapes of `src/reading/`. */

import { fitOffsets, type OffsetFit } from "../src/detect/offsets.ts";
import { siteOf } from "../src/detect/site-view.ts";
import type { IngestLog } from "../src/ingest/log.ts";
import type { ShardMemory } from "../src/ingest/memory.ts";
import type { LogRow } from "../src/ingest/recovery.ts";
import { familyColumns, type ShardFamilies } from "../src/reading/families.ts";
import {
  type FeaturePage,
  type FeatureQuery,
  featureText,
  fingerprintsAfter,
} from "../src/reading/features.ts";
import { fingerprintForm } from "../src/reading/fingerprint-form.ts";
import { type ListedRow, type ListQuery, listFingerprints } from "../src/reading/list.ts";
import { relatedFingerprints, type ShardRelated } from "../src/reading/related.ts";
import { type ShardSummary, windowTotals } from "../src/reading/summary.ts";
import { timelineOf } from "../src/reading/timeline.ts";
import type { FingerprintAnswer, TimelineAnswer } from "../src/schemas/reading.ts";
import { type DryRun, dryRun, type SiteHistory, siteMinutes } from "../src/thresholds/dry-run.ts";
import type { Threshold } from "../src/thresholds/rule.ts";
import type { Part } from "../src/window/families.ts";
import type { RanksLink } from "./ranks-link.ts";
import type { ShardPlace } from "./stubs.ts";
import type { Watch } from "./watch.ts";

/** The parts of the shard that are read; callers have advanced the window. */
export interface Readable {
  place: ShardPlace;
  tickMs: number;
  memory: ShardMemory;
  log: IngestLog;
  ranks: RanksLink;
  watch: Watch;
  /** The log's rows, newest first. */
  logBack(): Iterable<LogRow>;
  /** The site's first data as far as the shard or the Census knows, ms; 0 = none. */
  firstDataMs(): number;
}

export class Reader {
  readonly #of: Readable;
  #offsets: { atMs: number; fit: OffsetFit } | undefined;

  constructor(readable: Readable) {
    this.#of = readable;
  }

  /** Full forms of those of `ja4s` that were seen in the last hour. */
  forms(ja4s: readonly string[]): { found: FingerprintAnswer[]; missing: number[] } {
    const { memory, ranks, watch, place } = this.#of;
    const { window } = memory;
    const site = siteOf(window, this.#of.firstDataMs());
    const ranksAsOfMs = ranks.asOfMs === undefined ? undefined : Math.min(ranks.asOfMs, window.nowMs);
    const totals = ranks.totals();
    const found = ja4s.flatMap((ja4) => {
      const id = window.fingerprints.id(ja4);
      if (id === undefined) return [];
      return fingerprintForm(ja4, id, {
        siteName: place.site,
        window,
        site,
        ranks: ranks.of(ja4),
        ranksAsOfMs,
        offsets: this.#offsetsNow(),
        totals,
        episodes: watch.episodesOf(ja4),
      });
    });
    return { found, missing: [...ranks.missing] };
  }

  list(query: ListQuery): { asOfMs: number; rows: ListedRow[] } {
    const { window } = this.#of.memory;
    const scores = this.#of.watch.scores();
    return {
      asOfMs: window.nowMs,
      rows: listFingerprints(window, query, (ja4) => scores.get(ja4)),
    };
  }

  /** The last hour by minute; `undefined` when the fingerprint was not seen in it. */
  timeline(ja4: string): TimelineAnswer | undefined {
    const { memory, firstDataMs, logBack } = this.#of;
    const { window } = memory;
    const id = window.fingerprints.id(ja4);
    if (id === undefined) return undefined;
    return timelineOf(ja4, id, window, siteOf(window, firstDataMs()), logBack());
  }

  /** What the shard has that shares a part with `ja4`, which may be another shard's. */
  related(ja4: string): ShardRelated {
    const scores = this.#of.watch.scores();
    return relatedFingerprints(this.#of.memory.window, ja4, (other) => scores.get(other));
  }

  families(part: Part): ShardFamilies {
    return familyColumns(this.#of.memory.window.families(part));
  }

  /** Feature rows in order of their fingerprints. */
  features(query: FeatureQuery): FeaturePage {
    const ja4s = fingerprintsAfter(this.#of.memory.window, query);
    const { found, missing } = this.forms(ja4s.slice(0, query.limit));
    return {
      ja4s: found.map(({ ja4 }) => ja4),
      lines: found.map((form) => featureText(form, query.format)),
      isLast: ja4s.length <= query.limit,
      missing,
    };
  }

  summary(): ShardSummary {
    const { place, memory, log, ranks, firstDataMs } = this.#of;
    const { window } = memory;
    const { counters, sources, results, withoutJa4, ...sinceStart } = log.totals();
    return {
      shard: place.shard,
      asOfMs: window.nowMs,
      memory: {
        ...window.memory(),
        evidence: memory.evidence.byteLength,
        ids: memory.ids.byteLength,
      },
      pressure: { ...window.pressure(), calls_refused: log.refusedCalls },
      fingerprints: window.fingerprints.size,
      ranksAsOfMs: ranks.asOfMs,
      firstDataMs: firstDataMs() || undefined,
      windows: windowTotals(window),
      sinceStart: { ...sinceStart, ...counters },
      sources,
      results,
      withoutJa4,
      isSampled: window.isSampled,
    };
  }

  /** What a threshold would do on this shard. */
  dryRun(threshold: Threshold): DryRun {
    const { memory, ranks, watch } = this.#of;
    return dryRun(
      threshold,
      memory.window,
      watch.knowledge((ja4) => ranks.of(ja4)),
    );
  }

  /** This shard's part of what a threshold of the whole site is tried on. */
  siteHistory(): SiteHistory {
    const { asOfMs, windows, sinceStart } = this.summary();
    return { asOfMs, windows, sinceStart, minutes: siteMinutes(this.#of.memory.window) };
  }

  #offsetsNow(): OffsetFit {
    const { window } = this.#of.memory;
    // A fit over all fingerprints costs tens of milliseconds and changes slowly: once a tick is enough.
    if (this.#offsets === undefined || window.nowMs - this.#offsets.atMs >= this.#of.tickMs) {
      const fit = fitOffsets(siteOf(window, this.#of.firstDataMs()).subjects());
      this.#offsets = { atMs: window.nowMs, fit };
    }
    return this.#offsets.fit;
  }
}
