/** The full form of one fingerprint (contract §4), put together from the window, the ranks and the detectors. */
import { rfc3339 } from "../base/time.ts";
import { HOUR_MS } from "../config.ts";
import { expectedRequests } from "../detect/baseline.ts";
import { combined } from "../detect/combine.ts";
import { divergences, type OffsetFit } from "../detect/offsets.ts";
import { subjectOf } from "../detect/site-view.ts";
import type { Episode, Site } from "../detect/types.ts";
import type { FingerprintAnswer } from "../schemas/reading.ts";
import { blastRadius, type SiteTotals, totalsOf } from "../signals/blast-radius.ts";
import { globalPopulation, globalSignals } from "../signals/global.ts";
import { localSignals } from "../signals/local.ts";
import { namesOf } from "../signals/names.ts";
import type { LocalRanks } from "../signals/ranks.ts";
import { windowNumbers } from "../window/snapshot.ts";
import type { Window } from "../window/window.ts";
import { isPseudo } from "../wire/ja4.ts";

export interface FormContext {
  siteName: string;
  window: Window;
  site: Site;
  ranks: LocalRanks;
  ranksAsOfMs: number | undefined;
  offsets: OffsetFit;
  /** The whole site's hour; `undefined` until every shard has told its own. */
  totals: SiteTotals | undefined;
  /** Active anomalies of this fingerprint. */
  episodes: Episode[];
}

export function fingerprintForm(ja4: string, id: number, context: FormContext): FingerprintAnswer {
  const { window, site, episodes } = context;
  const hour = windowNumbers(window, id, "1h");
  const global = globalSignals(window.signals(id), window.nowMs - HOUR_MS);
  const subject = subjectOf(window, id);
  const expected = expectedRequests(subject, site, site.minuteNow);
  const form: FingerprintAnswer = {
    site: context.siteName,
    ja4,
    as_of: rfc3339(window.nowMs),
    first_seen: rfc3339(window.fingerprints.firstSeenMs(id)),
    last_seen: rfc3339(window.fingerprints.lastSeenMs(id)),
    windows: { "1m": windowNumbers(window, id, "1m"), "5m": windowNumbers(window, id, "5m"), "1h": hour },
    local: localSignals(hour, context.ranks),
    divergence: divergences(subject, context.offsets).map(({ s: _, ...told }) => told),
    anomalies: episodes.map(({ anomalyId, kind }) => ({ anomaly_id: anomalyId, kind })),
    names: namesOf(ja4),
  };
  if (context.ranksAsOfMs !== undefined) form.ranks_as_of = rfc3339(context.ranksAsOfMs);
  if (window.isSampled) form.sampled = true;
  const botScore = botScoreOf(window, id);
  if (botScore !== undefined) form.bot_score = botScore;
  if (isPseudo(ja4)) form.source = "tls";
  // Only a real JA4 is a field that Cloudflare's firewall knows.
  else form.waf_expression = `cf.bot_management.ja4 eq "${ja4}"`;
  if (global !== undefined) {
    const population = globalPopulation(global.values);
    form.global = {
      ...global.values,
      ...(population === undefined ? {} : { population }),
      seen_at: rfc3339(global.seenAtMs),
    };
    const both = combined(subject, context.offsets);
    if (Object.keys(both).length > 0) form.combined = both;
  }
  if (expected !== undefined) form.expected = { reqs_1m: expected };
  if (context.totals !== undefined) {
    const radius = blastRadius(totalsOf(window.tally(id, "1h")), context.totals);
    if (radius !== undefined) form.blast_radius = radius;
  }
  const score = topScore(episodes);
  if (score !== undefined) form.score = score;
  return form;
}

/** Scores and detection ids of the hour; `undefined` when nothing is known. */
function botScoreOf(window: Window, id: number): FingerprintAnswer["bot_score"] {
  const { histogram, detections } = window.botScores(id);
  if (histogram.length === 0 && detections.length === 0) return undefined;
  return { histogram, detection_ids: detections };
}

/** The highest score of active anomalies; `undefined` without any. */
function topScore(episodes: readonly Episode[]): number | undefined {
  if (episodes.length === 0) return undefined;
  return Math.round(Math.max(...episodes.map(({ last }) => last.score)) * 100) / 100;
}
