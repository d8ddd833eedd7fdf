/**
 * Where a time falls. A slot (5 s) and a minute cover (start, end], so that a window (from, as_of] whose `from` lies on
 * a grain's edge is a whole number of them and an observation exactly at `from` is outside, as the contract says.
 */
import { MINUTE_MS, SLOT_MS, WINDOW_MS, type WindowName } from "../config.ts";

export function slotOf(ms: number): number {
  return Math.floor((ms - 1) / SLOT_MS);
}

export function minuteOf(ms: number): number {
  return Math.floor((ms - 1) / MINUTE_MS);
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
