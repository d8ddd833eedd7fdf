/**
 * A fingerprint's last 60 minutes (contract §4). Requests and errors are the window's own counts, `expected` is what the
 * detectors' baseline says with the minutes before. Distinct counts of a past minute are nowhere in the window, whose sets
 * keep the last sight of an identity only; they are counted again from the log, which holds every request of the hour in
 * the order of its arrival, from the newest row back as far as one answer may read (`LOG_READ_…`).
 */

import { LOG_READ_MAX_BYTES, LOG_READ_MAX_FRAMES } from "../base/read-limits.ts";
import { rfc3339 } from "../base/time.ts";
import { FUTURE_MAX_MS, FUTURE_SLACK_MS, MINUTE_MS } from "../config.ts";
import { expectedRequests } from "../detect/baseline.ts";
import { subjectOf } from "../detect/site-view.ts";
import type { Site } from "../detect/types.ts";
import { framesOfRow, GroupRowError } from "../ingest/group-row.ts";
import type { LogRow } from "../ingest/recovery.ts";
import type { TimelineAnswer } from "../schemas/reading.ts";
import { IDENTITY_FLAGS } from "../window/identities.ts";
import { IdentitySets } from "../window/identity-sets.ts";
import { REQS, ratioOf } from "../window/tally.ts";
import { firstMinute, minuteOf, windowFrom } from "../window/time.ts";
import type { Window } from "../window/window.ts";
import { RATIOS } from "../wire/flags.ts";
import { decodeFrame, type Frame, FrameError, IDENTITIES } from "../wire/frame.ts";
import { KEY_WORDS, packKey } from "../wire/key.ts";

type MinuteRow = TimelineAnswer["minutes"][number];

/** Rows of the answer; the last one is the minute that is filling. */
export const TIMELINE_MINUTES = 60;

/** What is counted as distinct in a minute. */
const COUNTED = [
  ["ips", "ip"],
  ["uas", "ua"],
  ["paths", "path"],
] as const;
/** Sets of minutes need no time of their own: all are of this one. */
const STAMP = 1;
const ERROR = RATIOS.indexOf("error");
/** How far a row of the log may hold what was still to come when it was written. */
const AHEAD_MAX_MS = FUTURE_MAX_MS + FUTURE_SLACK_MS;

/** Distinct counts by minute, exact up to 256 and then as good as a window's; a minute that is not there is not known. */
type MinuteDistincts = ReadonlyMap<number, Pick<MinuteRow, "ips" | "uas" | "paths">>;

/** `logBack`: rows of the shard's log, newest first. The window must be advanced. */
export function timelineOf(
  ja4: string,
  id: number,
  window: Window,
  site: Site,
  logBack: Iterable<LogRow>,
): TimelineAnswer {
  const last = minuteOf(window.nowMs);
  const first = last - TIMELINE_MINUTES + 1;
  const distincts = minuteDistincts(ja4, logBack, first, window.nowMs);
  const subject = subjectOf(window, id);
  // Minutes that have left the hour are not known; they were not empty.
  const known = firstMinute(windowFrom("1h", window.nowMs));
  const hour: Site = { ...site, firstDataMs: Math.max(site.firstDataMs, known * MINUTE_MS) };
  const minutes: MinuteRow[] = [];
  for (let minute = first; minute <= last; minute++) {
    const expected = expectedRequests(subject, hour, minute);
    const tally = window.minute(id, minute);
    const errors = tally === undefined ? undefined : ratioOf(tally, 0, ERROR);
    minutes.push({
      from: rfc3339(minute * MINUTE_MS),
      reqs: tally?.[REQS] ?? 0,
      ...(tally === undefined ? {} : distincts.get(minute)),
      ...(errors === undefined ? {} : { error_ratio: errors }),
      ...(expected === undefined ? {} : { expected }),
    });
  }
  return { ja4, as_of: rfc3339(window.nowMs), minutes };
}

/**
 * Distinct identities of a fingerprint in each minute from `first` to `nowMs`, as far as the log says. Reading ends with the
 * bounds of `LOG_READ_…`; what was read is then all there is of minutes that begin AHEAD_MAX_MS after the oldest row read.
 */
function minuteDistincts(
  ja4: string,
  logBack: Iterable<LogRow>,
  first: number,
  nowMs: number,
): MinuteDistincts {
  const sets = new IdentitySets();
  sets.add(minuteOf(nowMs) - first);
  const key = new Uint32Array(KEY_WORDS);
  packKey(ja4, key, 0);
  let bytes = 0;
  let frames = 0;
  let completeFrom = first;
  for (const row of logBack) {
    const writtenMs = row.atMs ?? (row.minute + 1) * MINUTE_MS;
    // What was written before the first minute can hold nothing of it but what lay ahead.
    if (writtenMs + AHEAD_MAX_MS <= first * MINUTE_MS) break;
    bytes += row.bytes.byteLength;
    if (bytes > LOG_READ_MAX_BYTES || frames > LOG_READ_MAX_FRAMES) {
      completeFrom = Math.max(first, Math.ceil((writtenMs + AHEAD_MAX_MS) / MINUTE_MS));
      break;
    }
    for (const frame of readableFrames(row.bytes)) {
      frames++;
      addFrame(sets, frame, key, first, Math.min(nowMs, writtenMs + AHEAD_MAX_MS));
    }
  }
  const known = new Map<number, Pick<MinuteRow, "ips" | "uas" | "paths">>();
  for (let minute = completeFrom; minute <= minuteOf(nowMs); minute++) {
    const counts: Pick<MinuteRow, "ips" | "uas" | "paths"> = {};
    for (const [name, identity] of COUNTED) {
      const count = sets.count(minute - first, IDENTITIES.indexOf(identity), STAMP, STAMP);
      // Nobody carried an address, say: that is not known, which is not none.
      if (count > 0) counts[name] = count;
    }
    known.set(minute, counts);
  }
  return known;
}

/** The frames of a row; those that cannot be read were not counted at a start either. */
function* readableFrames(bytes: Uint8Array): Generator<Frame> {
  try {
    for (const payload of framesOfRow(bytes)) {
      try {
        yield decodeFrame(payload);
      } catch (error) {
        if (!(error instanceof FrameError)) throw error;
      }
    }
  } catch (error) {
    if (!(error instanceof GroupRowError)) throw error;
  }
}

/** Takes note of what a frame has of the fingerprint, up to `untilMs`. */
function addFrame(sets: IdentitySets, frame: Frame, key: Uint32Array, first: number, untilMs: number): void {
  const wanted = indexOfKey(frame, key);
  if (wanted < 0) return;
  for (let row = 0; row < frame.rows; row++) {
    if (frame.fp[row] !== wanted) continue;
    const ms = frame.baseMs + frame.at[row]!;
    const minute = minuteOf(ms);
    if (minute < first || ms > untilMs) continue;
    for (const [, name] of COUNTED) {
      const identity = IDENTITIES.indexOf(name);
      if ((frame.flags[row]! & IDENTITY_FLAGS[identity]!) !== 0)
        sets.see(minute - first, identity, frame.identities[name][row]!, STAMP);
    }
  }
}

/** The fingerprint's index in a frame; −1 when it is not there. */
function indexOfKey({ keys, fps }: Frame, key: Uint32Array): number {
  for (let fp = 0; fp < fps; fp++) {
    let word = 0;
    while (word < KEY_WORDS && keys[fp * KEY_WORDS + word] === key[word]) word++;
    if (word === KEY_WORDS) return fp;
  }
  return -1;
}
