/**
 * Where a time falls. A slot (5 s), a stamp (20 s) and a minute cover (start, end], so that a window (from, as_of] whose
 * `from` lies on a grain's edge is a whole number of them and an observation exactly at `from` is outside, as the contract
 * says. Distinct counts are kept by stamps and may reach up to 20 s further back than `from`.
 */
import { MINUTE_MS, SLOT_MS, STAMP_MS, WINDOW_MS, type WindowName } from "../config.ts";

export const SLOTS_A_MINUTE = MINUTE_MS / SLOT_MS;
export const SLOTS_A_STAMP = STAMP_MS / SLOT_MS;
const STAMPS_A_MINUTE = MINUTE_MS / STAMP_MS;

export function slotOf(ms: number): number {
  return Math.floor((ms - 1) / SLOT_MS);
}

export function minuteOf(ms: number): number {
  return Math.floor((ms - 1) / MINUTE_MS);
}

/** The stamp that a slot lies in. */
export function stampOf(slot: number): number {
  return Math.floor(slot / SLOTS_A_STAMP);
}

/** Start of a window, ms: as_of minus its length, down to the grain (60–65 s, 300–305 s, 3600–3660 s). */
export function windowFrom(window: WindowName, asOfMs: number): number {
  const grain = window === "1h" ? MINUTE_MS : SLOT_MS;
  return Math.floor((asOfMs - WINDOW_MS[window]) / grain) * grain;
}

/** First slot inside the window that starts at `fromMs` (a multiple of the slot). */
export function firstSlot(fromMs: number): number {
  return fromMs / SLOT_MS;
}

/** First minute inside the window that starts at `fromMs` (a multiple of the minute). */
export function firstMinute(fromMs: number): number {
  return fromMs / MINUTE_MS;
}

/** First stamp of a minute. */
export function firstStamp(minute: number): number {
  return minute * STAMPS_A_MINUTE;
}
