/** Streams of identities for the benchmark of distinct counts: the same for the same seed. */
import { STAMP_MS, WINDOW_MS, WINDOWS, type WindowName } from "../../src/config.ts";

/** First slot of all streams; how many they last; the last one. */
export const FIRST_SLOT = 4_500_000;
const SLOTS = WINDOW_MS["1h"] / STAMP_MS;
export const NOW_SLOT = FIRST_SLOT + SLOTS - 1;

export const STREAMS = ["steady", "bursty"] as const;
export type StreamName = (typeof STREAMS)[number];

/** First slot of each window at NOW_SLOT, in the order of WINDOWS. */
export const SINCE = WINDOWS.map((name: WindowName) => NOW_SLOT + 1 - WINDOW_MS[name] / STAMP_MS);

/** The slot of the i-th of `size` identities. */
export function slotOf(stream: StreamName, i: number, size: number): number {
  const part = i / size;
  if (stream === "steady") return FIRST_SLOT + Math.floor(part * SLOTS);
  // A background, a crowd half an hour ago, and another within the last minute.
  if (part < 0.2) return FIRST_SLOT + Math.floor(part * 5 * SLOTS);
  return part < 0.6 ? FIRST_SLOT + SLOTS / 2 : NOW_SLOT - (i % 3);
}

/**
 * What a keyed hash of the n-th identity would be, signed (Ellis, "triple32", 2018; with two rounds instead of three
 * consecutive inputs show in a sketch's error, 2.2 instead of 2.0 %).
 */
export function hashOf(n: number): number {
  let h = n | 0;
  h = Math.imul(h ^ (h >>> 17), 0xed5ad4bb);
  h = Math.imul(h ^ (h >>> 11), 0xac4c1b51);
  h = Math.imul(h ^ (h >>> 15), 0x31848bab);
  return h ^ (h >>> 14);
}
