/**
 * Every tunable of the product, once: the unit is in the name, the reason beside it.
 * Relations between them are asserted when the module loads, so a wrong edit fails at the first line.
 */

export const VERSION = "0.1.0";

// --- Time -----------------------------------------------------------------------------------------------
export const SECOND_MS = 1_000;
export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;

/** Grain of the 1m and 5m windows (contract §4: 60–65 s, 300–305 s). */
export const SLOT_MS = 5_000;
/** Grain of distinct counts: one byte holds 255 of them, 85 min (contract §4: at most 20 s wider than the window). */
export const STAMP_MS = 20_000;
/** The three windows that every number is given for, in display order. */
export const WINDOWS = ["1m", "5m", "1h"] as const;
export type WindowName = (typeof WINDOWS)[number];
/** Nominal length of each window in ms; the real one starts at the grain's edge before it. */
export const WINDOW_MS: Record<WindowName, number> = { "1m": MINUTE_MS, "5m": 5 * MINUTE_MS, "1h": HOUR_MS };

/** How far ahead of the server's clock an observation may lie (contract §3). */
export const FUTURE_MAX_MS = 60 * SECOND_MS;
/**
 * Whoever takes an observation in checks it by its own clock, and the shard counts by another one: what is ahead of the
 * shard's clock by so much more is counted as `future`. Clocks of data centres differ by milliseconds; an object's stands
 * still while it works, at the time of its last input or output, and calls may queue behind a commit for a second or two.
 */
export const FUTURE_SLACK_MS = 5 * SECOND_MS;
/** An observation older than this is `expired` (contract §3). */
export const PAST_MAX_MS = HOUR_MS;
/**
 * How long a frame stays in the shard's log: it may hold observations up to FUTURE_MAX_MS ahead, which stay in
 * the 1h window for up to 61 min, so anything shorter would lose counts over a restart. Frame ids live as long.
 */
export const LOG_KEEP_MS = 65 * MINUTE_MS;
/** The longest `delay` of a site: how far `as_of` may lie behind the clock, for sources that deliver late. */
export const DELAY_MAX_MS = 10 * MINUTE_MS;
/**
 * Rows that wait until `as_of` comes to their time (30 B each). With more the clock moves on early, up to the time of
 * arrival, rather than that anything is lost: a shard that gets 1,000 a second can wait for two minutes.
 */
export const PENDING_MAX_BYTES = 4 * 1024 * 1024;
/** How long an Idempotency-Key is remembered (contract §3). */
export const IDEMPOTENCY_KEEP_MS = 2 * HOUR_MS;
/** While a request with a key runs, the same key gets 409; a Worker that died frees it after this long. */
export const IDEMPOTENCY_LEASE_MS = 60 * SECOND_MS;

/** Pause between a shard's ticks when there is traffic (contract §7, `TICK`). */
export const TICK_DEFAULT_MS = 5 * SECOND_MS;
/** Pause between ticks while the windows are not empty but nothing comes in. */
export const TICK_IDLE_MS = 60 * SECOND_MS;
/** A call from one object to another is given up after this long, so one stuck object stops no other. */
export const OBJECT_CALL_TIMEOUT_MS = 3 * SECOND_MS;
/** The API gives an object up after this long: one that hangs is a 503, or a part that is missing. Uploads wait for disks. */
export const API_CALL_TIMEOUT_MS = 5 * SECOND_MS;
/** A write to the settings waits this long for every shard's acknowledgement (contract §5: in force within 2 s). */
export const SETTINGS_PUSH_TIMEOUT_MS = 1_500;

// --- Ingest limits (contract §3) --------------------------------------------------------------------------
export const BODY_WIRE_MAX_BYTES = 8 * 1024 * 1024;
export const BODY_INFLATED_MAX_BYTES = 64 * 1024 * 1024;
export const BODY_OBSERVATIONS_MAX = 50_000;
/** The same of a Logpush upload (contract §3) … */
export const LOGPUSH_WIRE_MAX_BYTES = 64 * 1024 * 1024;
export const LOGPUSH_INFLATED_MAX_BYTES = 1024 * 1024 * 1024;
export const LOGPUSH_RECORDS_MAX = 1_000_000;
/** … of which a line may be so long: a record takes a few kB, with headers and cookies logged tens of them. */
export const LOGPUSH_LINE_MAX_BYTES = 1024 * 1024;
/** So much of it is held on the wire: what is not longer is looked through before anything of it counts. */
export const LOGPUSH_HELD_BYTES = 8 * 1024 * 1024;
/** Requests that one record stands for at most (`sample_rate` 0.001): a shard counts each of them. */
export const SAMPLED_MAX = 1_000;
/** How long an upload waits for the same one that is under way. */
export const LOGPUSH_WAIT_MS = 20 * SECOND_MS;
/** One record of a body. Four 8 KiB strings, escaped as \uXXXX, are 192 KiB; the rest is room. */
export const RECORD_MAX_BYTES = 256 * 1024;
export const FIELD_MAX_BYTES = 8 * 1024;
export const RAY_ID_MAX_CHARS = 64;
export const ERRORS_SHOWN_MAX = 100;
export const IDEMPOTENCY_KEY_MAX_CHARS = 128;
/** Bodies of settings, tickets, look-ups. */
export const JSON_BODY_MAX_BYTES = 256 * 1024;

// --- Edge ---------------------------------------------------------------------------------------------------
/** Oldest observation that an isolate keeps (contract §7, `FLUSH`). */
export const FLUSH_DEFAULT_MS = 10 * SECOND_MS;
/** The platform ends `waitUntil` 30 s after the response: the age and one send must fit with room to spare. */
export const FLUSH_MAX_MS = 20 * SECOND_MS;
export const EDGE_SEND_TIMEOUT_MS = 5 * SECOND_MS;
/** An isolate sends at once when it holds this many. */
export const EDGE_FULL_ROWS = 500;
/** … and holds at most this many; what comes on top is counted as lost_at_edge. */
export const EDGE_MAX_ROWS = 20_000;
/** Frames without an answer that an isolate keeps, over all shards; with as many it makes no further ones … */
export const EDGE_MAX_INFLIGHT = 64;
/** … and those of one shard. What comes while it fails is held as rows, which go together later: fewer calls. */
export const EDGE_LANE_FRAMES_MAX = 4;
/** Frames given up with an unknown fate whose loss is told by an empty frame of the same id, some 200 B each. */
export const EDGE_TOMBSTONES_MAX = 256;
/** A shard that fails or refuses is left alone this long at first; each further failure doubles it, up to … */
export const EDGE_RETRY_FIRST_MS = 5 * SECOND_MS;
export const EDGE_RETRY_MAX_MS = 60 * SECOND_MS;
/** All that one request does behind its response, waiting included; the platform ends it after 30 s. */
export const EDGE_REQUEST_MAX_MS = 25 * SECOND_MS;
/** With less time than this left a request begins no further call. */
export const EDGE_TRY_MIN_MS = SECOND_MS;
/** Requests that wait for the hash key at once; it is there after the first. */
export const EDGE_MAX_WAITING = 64;
/** An isolate tells a shard the same global signals again after this long; a shard forgets them after an hour. */
export const SIGNALS_RETELL_MS = 5 * MINUTE_MS;
/** … and remembers what it told of at most this many fingerprints (about 250 B each). */
export const SIGNALS_TOLD_MAX = 4_096;
/** Pause after the shard map or the hash key could not be had. */
export const EDGE_BACK_OFF_MS = 5 * SECOND_MS;
/** Signals that an isolate remembers for the header and for other Workers. */
export const SIGNALS_CACHE_MAX = 2_000;
/** The header is left out when the signals are older (contract §7). */
export const SIGNALS_HEADER_MAX_AGE_MS = MINUTE_MS;
/** … and fetched again, behind the response, when they are older than this. */
export const SIGNALS_REFRESH_MS = 10 * SECOND_MS;
/** `signals()` never waits longer (contract §3). */
export const SIGNALS_WAIT_MS = 50;
export const SIGNALS_MAX_AGE_DEFAULT_MS = 5 * SECOND_MS;

// --- Wire frame --------------------------------------------------------------------------------------------
export const FRAME_ROWS_MAX = 4_000;
/**
 * Numbers of one source that a shard tells apart, from its newest one down: two words. What is older is refused for good, so
 * a sender never has numbers of one source under way that are so far apart.
 */
export const FRAME_ID_WINDOW = 64;
/** Cap on an encoded frame, which must fit into a row of the log. */
export const FRAME_BYTES_MAX = 1_500_000;
/** The builder starts a new frame when its estimate passes this, well under FRAME_BYTES_MAX. */
export const FRAME_BYTES_TARGET = 1_000_000;
/**
 * Samples (evidence) a fingerprint and frame: FRAME_SAMPLES_MIN of its rows, and one for every FRAME_SAMPLE_ROWS of them
 * up to FRAME_SAMPLES_MAX. Most fingerprints of a frame have few rows, and their samples are most of its bytes; whoever
 * floods has many: with two of them a share in the evidence is wrong by a third, and with eight what one request in ten asks for
 * is named first once in 200 frames.
 */
export const FRAME_SAMPLES_MIN = 2;
export const FRAME_SAMPLES_MAX = 16;
export const FRAME_SAMPLE_ROWS = 8;
/**
 * In a frame of more fingerprints than this, those with fewer than FRAME_SAMPLE_ROWS rows send one sample for as many rows
 * together: a frame of a busy site has hundreds of such, and two samples of each would be a third of its bytes.
 */
export const FRAME_FEW_FINGERPRINTS = 64;
/** Cap on a frame's packed samples; the builder starts a new frame well before. */
export const FRAME_SAMPLES_BYTES_MAX = 1024 * 1024;
export const SAMPLE_TEXT_MAX_CHARS = 128;
/** Different detection ids of a request that are counted; Cloudflare names one or two. */
export const DETECTIONS_A_ROW_MAX = 8;
/** Larger ones are no id that Cloudflare has given out so far (nine digits), and are not counted. */
export const DETECTION_ID_MAX = 2 ** 32 - 1;

// --- Shard --------------------------------------------------------------------------------------------------
export const SHARDS_DEFAULT = 4;
export const SHARDS_MAX = 64;
/** Fingerprints a shard tells apart (62 B each with one request); requests of further ones are counted in `overflow`. */
export const FINGERPRINTS_MAX = 100_000;
/** Requests kept as rows, over all fingerprints with few of them (28 B each). */
export const ROWS_HELD_MAX = 250_000;
/** Fingerprints with more requests than rows (about 1 to 3 kB each, a hot one up to 70). */
export const TRACKED_MAX = 16_384;
/**
 * Series and sets of a shard, bytes. With everything else at its limit a shard stays under 28 MiB, so that four of them
 * fit the 128 MB of an isolate that they may share.
 */
export const ARENAS_MAX_BYTES = 12 * 1024 * 1024;
/** Beyond capacity a fingerprint is let in when it is seen this often … */
export const DOOR_SIGHTINGS = 3;
/** … (sightings halve every so many minutes, and every so many of them: two a counter of the door) … */
export const DOOR_AGE_MINUTES = 10;
export const DOOR_AGE_KNOCKS = 131_072;
/** … in place of the least active of so many. */
export const VICTIM_SAMPLE = 64;
/**
 * Bot scores and detection ids counted: different (fingerprint, minute, score or id) of fingerprints in full, 8 B each and up
 * to 12 with their tables' spare room; those of fingerprints with few requests lie in their rows. Further ones are counted
 * as `scores_lost`. It is full where 1,600 busy fingerprints a shard show a score each in every minute of an hour.
 */
export const SCORES_MAX = 98_304;
/** Different detection ids that a shard tells apart in an hour; Cloudflare names some dozens on a site. */
export const DETECTION_IDS_MAX = 400;
/** Detection ids shown of a fingerprint, the most frequent ones. */
export const DETECTION_IDS_SHOWN_MAX = 20;
/** Families a part that are counted one by one among the requests beyond capacity. */
export const FAMILIES_BEYOND_MAX = 512;
/** Newest evidence kept a shard, over all fingerprints: frames whose samples it is, and bytes of all of them. */
export const EVIDENCE_FRAMES_MAX = 4_096;
export const EVIDENCE_BYTES_MAX = 4 * 1024 * 1024;
/** Samples that an anomaly's shares are made of at least, where there are so many: a share is then off by 0.06 at most. */
export const EVIDENCE_SAMPLES_ENOUGH = 64;
/**
 * Group commit: rows written are the largest cost of a shard. Up to COMMIT_QUIET_CALLS calls a second each call is
 * written at once; from there the pause between commits grows, until at COMMIT_BUSY_CALLS and above it is the longest.
 * A row a call costs $1 a million on top of the call's $0.15; with the pause a busy shard writes one small row a second.
 */
export const COMMIT_QUIET_CALLS = 10;
export const COMMIT_BUSY_CALLS = 50;
export const COMMIT_PAUSE_MAX_MS = 1_000;
/** A group of this size gains little by waiting, and its memory is better given back … */
export const COMMIT_FULL_BYTES = 800_000;
export const COMMIT_FULL_CALLS = 256;
/** … and so many that nobody has joined for so long may be all senders there are, each waiting for its answer. */
export const COMMIT_STILL_CALLS = 16;
export const COMMIT_STILL_MS = 100;
/** Frames of one row of the log together; the platform's limit on a row is 2 MB. */
export const LOG_ROW_MAX_BYTES = 1_500_000;
/**
 * What a start reads again of the log is measured in observations counted, of which a frame costs as much as so many: reading
 * it and looking its fingerprints up. 40,000 take some 50 ms …
 */
export const FRAME_WORK = 20;
export const CHECKPOINT_WORK = 40_000;
/** … and one more for every so many bytes of memory, since a checkpoint of 25 MB takes a quarter of a second to write … */
export const CHECKPOINT_BYTES_A_WORK = 100;
/** … so that a shard under the highest load must not be busy with them. */
export const CHECKPOINT_PAUSE_MS = 5 * SECOND_MS;
/**
 * Frames that a shard holds in memory because they are not durable yet; what comes on top is refused as overload. With
 * their decoded columns they take about twice that, of an isolate's 128 MB.
 */
export const INGEST_HELD_MAX_BYTES = 16 * 1024 * 1024;
/** Times a Worker tries a shard before it answers 503. The frame id makes every repeat harmless. */
export const SHARD_TRIES = 3;
/** `Retry-After` of a 503; where many senders are refused at once it is drawn between the two, so that they spread. */
export const RETRY_AFTER_S = 5;
export const RETRY_AFTER_MAX_S = 10;

// --- Settings ----------------------------------------------------------------------------------------------------
/** Thresholds a site (contract §5), as many silences, and webhooks, each of which costs a row an event. */
export const ITEMS_MAX = { thresholds: 200, silences: 200, webhooks: 20 };
/** The settings document: each item may have some 16 kB. */
export const SETTINGS_BODY_MAX_BYTES = 8 * 1024 * 1024;
export const COOLDOWN_DEFAULT_MS = 10 * MINUTE_MS;
export const CLEAR_AFTER_DEFAULT_MS = MINUTE_MS;

// --- Reading ---------------------------------------------------------------------------------------------------
/** A read that shows ranks asks the Census again when the last exchange is older (contract §4: at most 10 s). */
export const RANKS_FRESH_MS = SECOND_MS;
/** … and does not wait longer than this for it. */
export const RANKS_WAIT_MS = SECOND_MS;
/** The Census waits this long for shards that it was never told of, and asks each once a tick: one that hangs holds no one up. */
export const CENSUS_ASK_MS = 750;

/** Throws at load when two tunables contradict each other. */
function relate(holds: boolean, what: string): void {
  if (!holds) throw new Error(`config: ${what}`);
}
relate(MINUTE_MS % SLOT_MS === 0, "a minute must hold whole slots");
relate(
  STAMP_MS % SLOT_MS === 0 && MINUTE_MS % STAMP_MS === 0,
  "windows must hold whole stamps and stamps whole slots",
);
// An hour, what lies ahead, and two sweeps of a minute each; the rest of the 85 min is for late sweeps.
relate(
  PAST_MAX_MS + FUTURE_MAX_MS + FUTURE_SLACK_MS + 2 * MINUTE_MS < 254 * STAMP_MS,
  "stamps must outlive the 1h window",
);
relate(
  LOG_KEEP_MS >= PAST_MAX_MS + FUTURE_MAX_MS + FUTURE_SLACK_MS + MINUTE_MS,
  "the log must outlive the 1h window",
);
relate(IDEMPOTENCY_KEEP_MS > LOG_KEEP_MS, "a key must outlive the frame ids that it derives");
relate(FRAME_BYTES_TARGET < FRAME_BYTES_MAX && FRAME_BYTES_MAX < 2_000_000, "a frame must fit a row");
relate(FRAME_SAMPLES_BYTES_MAX >= FRAME_BYTES_TARGET, "the samples of a full frame must fit their cap");
relate(
  EVIDENCE_BYTES_MAX > FRAME_SAMPLES_BYTES_MAX + FRAME_BYTES_TARGET,
  "evidence must hold any frame's samples",
);
relate(FRAME_BYTES_MAX <= LOG_ROW_MAX_BYTES && LOG_ROW_MAX_BYTES < 2_000_000, "a group's row must fit a row");
relate(COMMIT_FULL_BYTES <= LOG_ROW_MAX_BYTES, "a full group must fit a row");
relate(COMMIT_QUIET_CALLS < COMMIT_BUSY_CALLS, "the pause must grow with the calls");
relate(COMMIT_PAUSE_MAX_MS < EDGE_SEND_TIMEOUT_MS, "a sender must not give up during the pause");
relate(FLUSH_MAX_MS + EDGE_SEND_TIMEOUT_MS <= EDGE_REQUEST_MAX_MS, "age and a send must fit one request");
relate(EDGE_REQUEST_MAX_MS <= 25 * SECOND_MS, "a request must end before waitUntil's 30 s");
relate(EDGE_RETRY_FIRST_MS >= EDGE_SEND_TIMEOUT_MS, "a frame must not be sent again while its sender waits");
relate(
  LOG_KEEP_MS >= PAST_MAX_MS + 2 * MINUTE_MS,
  "a shard must know the id of a frame that is just given up",
);
relate(
  API_CALL_TIMEOUT_MS > COMMIT_PAUSE_MAX_MS + SECOND_MS && API_CALL_TIMEOUT_MS > OBJECT_CALL_TIMEOUT_MS,
  "the API must not give up what is only waiting itself",
);
relate(CENSUS_ASK_MS < RANKS_WAIT_MS, "the Census must answer while the reader still waits");
relate(SIGNALS_RETELL_MS * 4 < HOUR_MS, "signals must be told again well before a shard forgets them");
relate(RANKS_FRESH_MS < 10 * SECOND_MS, "ranks must be refreshed before they are 10 s old");
