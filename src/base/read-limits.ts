/** How much one answer of the API may read and hold (contract §4): the unit is in the name, the reason beside it. */

export const LIST_LIMIT_DEFAULT = 50;
export const LIST_LIMIT_MAX = 1_000;
export const LOOKUP_MAX = 100;
/** Related fingerprints that are told for each part. */
export const RELATED_MAX = 50;
/** What a shard reads of its log for one timeline at most: a frame takes some 10 µs, and others wait meanwhile. */
export const LOG_READ_MAX_FRAMES = 4_096;
export const LOG_READ_MAX_BYTES = 8 * 1024 * 1024;
/**
 * Rows of an export that are held at once, over all shards (some 2 kB each): a shard's page is its part of them. Many exports
 * at a time, each with pages of 2,000, filled an isolate of 128 MB …
 */
export const FEATURES_HELD_ROWS = 500;
/** … and the size of the pieces in which they are sent. */
export const FEATURES_CHUNK_CHARS = 64 * 1024;
/** What a user may write about an anomaly. */
export const FEEDBACK_NOTE_MAX_CHARS = 1_000;
