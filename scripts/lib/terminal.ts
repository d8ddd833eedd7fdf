/** What a terminal may be sent: colours only where wanted, and no control characters from data. */
import type { Environment } from "./args.ts";

/** Colour on a terminal, unless NO_COLOR says otherwise (https://no-color.org: present and not empty). */
export function wantsColor(stream: { readonly isTTY?: boolean }, environment: Environment): boolean {
  return stream.isTTY === true && !environment.NO_COLOR && environment.TERM !== "dumb";
}

/**
 * C0, DEL, C1, line separators, and the characters that turn the writing direction: paths and agents come from strangers,
 * and an escape sequence in one could clear the screen or fake a line.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;

export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (char) => {
    const code = char.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16)}`;
  });
}

/** `2015-05-17 10:05:03Z`: times on the terminal, UTC as everywhere. */
export function clock(ms: number): string {
  return new Date(ms)
    .toISOString()
    .replace("T", " ")
    .replace(/\.\d+Z$/, "Z");
}

/** `3d 11h`, `50m`, `12s`, `400ms`: the two largest units. */
export function lengthText(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)}ms`;
  const units: [number, string][] = [
    [86_400_000, "d"],
    [3_600_000, "h"],
    [60_000, "m"],
    [1_000, "s"],
  ];
  let rest = Math.round(ms / 1_000) * 1_000;
  const parts: string[] = [];
  for (const [size, name] of units) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count}${name}`);
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts.join(" ");
}
