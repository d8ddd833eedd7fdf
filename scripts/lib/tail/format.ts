/** An event as a line: aligned, severity by shape and colour, nothing that could steer the terminal. */
import type { FeedEvent } from "../../../client/index.ts";
import { printable } from "../terminal.ts";

const RESET = "\x1b[0m";
const DIM = "\x1b[2m";
const GREEN = "\x1b[32m";
/** Shape and colour: either alone tells them apart. */
const SEVERITIES: Readonly<Record<string, { readonly shape: string; readonly color: string }>> = {
  info: { shape: "●", color: "\x1b[36m" },
  warning: { shape: "▲", color: "\x1b[33m" },
  critical: { shape: "■", color: "\x1b[1;31m" },
};
const UNKNOWN = { shape: "?", color: "" };
const SEVERITY_CELLS = "critical".length;
const STEP_CELLS = "cleared".length;
/** `rare_here_hot`, the longest of the contract's kinds. */
const KIND_CELLS = 13;
/** A JA4. */
const SUBJECT_CELLS = 36;

export function eventLine({ type, time, subject, data: known }: FeedEvent, color: boolean): string {
  // A newer server may say more than our types know, or less.
  const data: Readonly<Record<string, unknown>> = { ...known };
  const text = (name: string): string => (typeof data[name] === "string" ? printable(data[name]) : "");
  const paint = (code: string, part: string) => (color && code !== "" ? `${code}${part}${RESET}` : part);
  const severity = text("severity");
  const look = SEVERITIES[severity] ?? UNKNOWN;
  const step = printable(type.split(".").at(-1) ?? type);
  const kind = data.kind === "threshold" ? text("threshold") || "threshold" : text("kind");
  return [
    paint(DIM, shortTime(time)),
    paint(look.color, `${look.shape} ${severity.padEnd(SEVERITY_CELLS)}`),
    paint(step === "cleared" ? GREEN : step === "updated" ? DIM : "", step.padEnd(STEP_CELLS)),
    kind.padEnd(KIND_CELLS),
    printable(subject).padEnd(SUBJECT_CELLS),
    sentence(text, step),
  ].join("  ");
}

/** The last sentence of an episode is about the time when it ran; why it ended is more to the point. */
function sentence(text: (name: string) => string, step: string): string {
  const reason = text("reason");
  const end = step === "cleared" && reason !== "" ? `${reason}: ` : "";
  return `${end}${text("summary")}`;
}

/** `11-23 13:05:07Z` of an RFC 3339 time. */
function shortTime(time: string): string {
  const parts = /^\d{4}-(\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z$/.exec(time);
  return parts === null ? printable(time) : `${parts[1]} ${parts[2]}Z`;
}

/**
 * One line of JSON, whatever came. JSON leaves DEL, C1 and the direction marks as they are: escaped, they mean the same to
 * jq and nothing to a terminal.
 */
export function jsonLine(whole: unknown): string {
  return JSON.stringify(whole).replace(/[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, (char) => {
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
