/** Cursors: an event's sequence as 16 digits, so that they sort as text too. */

const DIGITS = 16;

export function cursorText(sequence: number): string {
  return String(sequence).padStart(DIGITS, "0");
}

/** The sequence that a cursor names; `undefined` when it is none. `0` = before everything. */
export function parseCursor(text: string): number | undefined {
  if (!/^\d{1,16}$/.test(text)) return undefined;
  const sequence = Number(text);
  return Number.isSafeInteger(sequence) ? sequence : undefined;
}
