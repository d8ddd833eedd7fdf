/** What the demo prints, line by line. Pure: values in, text out; colour only when asked for. */
import type { FeedEvent } from "../../../client/index.ts";
import type { Label } from "../../../src/simulate/scenario.ts";
import { lengthText, printable } from "../terminal.ts";
import type { Finding, Scoreboard } from "./scoreboard.ts";

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, magenta: 35, cyan: 36 } as const;
export type Paint = (style: keyof typeof CODES, text: string) => string;

export function painter(color: boolean): Paint {
  return (style, text) => (color ? `\x1b[${CODES[style]}m${text}\x1b[0m` : text);
}

/** `rare_here_hot`, the longest of the kinds. */
const KIND_CELLS = 13;
/** `Randomised ClientHello`. */
const TITLE_CELLS = 22;
const BAR_CELLS = 30;
/** Where a second line of an entry begins: below what was injected or raised. */
const INDENT = " ".repeat(22);

/** `12:01:10`, UTC as everywhere. */
export function timeText(ms: number): string {
  return new Date(ms).toISOString().slice(11, 19);
}

export interface Greeting {
  readonly url: string;
  readonly token: string;
  readonly site: string;
  readonly folder: string;
  readonly seed: number;
  /** Whether something answers a browser at the URL. */
  readonly dashboard: boolean;
}

export function greeting({ url, token, site, folder, seed, dashboard }: Greeting, paint: Paint): string {
  const row = (name: string, value: string) => `  ${paint("dim", name.padEnd(10))} ${value}\n`;
  const place = dashboard
    ? row("dashboard", paint("bold", `${url}/#/sites/${site}`))
    : row("API", `${paint("bold", `${url}/`)}  ${paint("dim", "(there is no dashboard yet)")}`);
  const curl = `curl -s -H 'Authorization: Bearer ${token}' '${url}/v1/sites/${site}/fingerprints?sort=score&limit=5'`;
  return [
    `\n${paint("bold", "HelloTide")}, a demo: site ${site}, all traffic made up (seed ${seed}), data in ${folder}\n\n`,
    place,
    row("token", token),
    row("try", curl),
    row("", `npm run tail -- --url ${url} --site ${site} --token ${token}`),
    "\n",
  ].join("");
}

export function progressBar(share: number, note: string, paint: Paint): string {
  const full = Math.round(Math.min(share, 1) * BAR_CELLS);
  const bar = `${paint("cyan", "█".repeat(full))}${"░".repeat(BAR_CELLS - full)}`;
  return `  back-fill  ${bar} ${`${Math.floor(share * 100)}`.padStart(3)} %  ${note}`;
}

/** What is going to happen, and what should be said of it. */
export function program(labels: readonly Label[], paint: Paint): string {
  const rows = labels.map((label) => {
    const outcome =
      label.expects.length > 0
        ? paint("yellow", label.expects.join(" + "))
        : paint("green", label.note ?? "nothing");
    return `  ${timeText(label.startMs)}  ${label.title.padEnd(TITLE_CELLS)} ${outcome}\n`;
  });
  const head = `${"UTC".padEnd(8)}  ${"scene".padEnd(TITLE_CELLS)} what should be raised`;
  const legend =
    "▶ made by the demo · ● ▲ ■ raised by HelloTide: info, warning, critical · ○ over · Ctrl-C ends it";
  return `  ${paint("dim", head)}\n${rows.join("")}\n  ${paint("dim", legend)}\n\n`;
}

export function injectedText(label: Label, paint: Paint): string {
  const [first = ""] = label.ja4;
  const who = label.ja4.length === 1 ? first : `${label.ja4.length} fingerprints`;
  const harmless = label.expects.length === 0 ? paint("green", `  (${label.note ?? "harmless"})`) : "";
  return [
    `${timeText(label.startMs)}  ${paint("magenta", "▶ injected")}  ${paint("bold", label.title)}  ${who}${harmless}\n`,
    `${INDENT}${paint("dim", label.sentence)}\n`,
  ].join("");
}

const SHAPES: Readonly<Record<string, readonly [shape: string, style: keyof typeof CODES]>> = {
  info: ["●", "cyan"],
  warning: ["▲", "yellow"],
  critical: ["■", "red"],
};

/** An anomaly, or anything else with a beginning, as it was raised. */
export function raisedText(event: FeedEvent, finding: Finding, paint: Paint): string {
  const severity = textOf(event, "severity");
  const [shape, style] = SHAPES[severity] ?? ["●", "cyan"];
  const { raise } = finding;
  const score = "score" in event.data ? event.data.score : undefined;
  const strength = typeof score === "number" ? `${severity}, score ${score}: ` : `${severity}: `;
  return [
    `${timeText(raise.atMs)}  ${paint(style, `${shape} raised    ${raise.kind.padEnd(KIND_CELLS)}`)}  `,
    `${printable(raise.ja4)}\n`,
    `${INDENT}${originText(finding, paint)}\n`,
    `${INDENT}${paint("dim", printable(strength + textOf(event, "summary")))}\n`,
  ].join("");
}

function originText({ verdict, label, afterMs = 0 }: Finding, paint: Paint): string {
  if (label === undefined) return paint("red", "✗ nothing was injected for this");
  if (verdict === "false") return paint("red", `✗ ${label.title} should not raise this`);
  const injected = `${label.title} injected ${timeText(label.startMs)}`;
  if (verdict === "echo") return paint("dim", `· the last hour still holds it: ${injected}`);
  return paint("green", `✓ ${injected} → raised after ${Math.round(afterMs / 1_000)} s`);
}

export function clearedText(event: FeedEvent, atMs: number, paint: Paint): string {
  const { data } = event;
  const name = data.kind === "threshold" ? textOf(event, "threshold") : textOf(event, "kind");
  const startedMs = Date.parse(textOf(event, "started_at"));
  const after = Number.isNaN(startedMs) ? "" : ` after ${lengthText(atMs - startedMs)}`;
  const line = `${timeText(atMs)}  ○ cleared   ${printable(name).padEnd(KIND_CELLS)}  ${printable(event.subject)}`;
  return `${paint("dim", `${line}  ${printable(textOf(event, "reason"))}${after}`)}\n`;
}

/** Injected beside raised, one row a scene. */
export function summary(labels: readonly Label[], board: Scoreboard, paint: Paint): string {
  const rows = labels.map((label) => {
    const findings = board.of(label).map(({ raise, verdict, afterMs = 0 }) => {
      const said = `${raise.kind} after ${Math.round(afterMs / 1_000)} s`;
      if (verdict === "expected") return said;
      return verdict === "false" ? paint("red", `✗ ${said}`) : paint("dim", said);
    });
    const missing = board.missing(label).map((kind) => paint("red", `✗ no ${kind}`));
    const said = [...findings, ...missing].join(", ") || paint("dim", "nothing");
    const isFine = missing.length === 0 && board.of(label).every(({ verdict }) => verdict !== "false");
    const mark = isFine ? paint("green", "✓") : paint("red", "✗");
    return `  ${mark} ${timeText(label.startMs)}  ${label.title.padEnd(TITLE_CELLS)} ${said}\n`;
  });
  const head = `  ${paint("dim", `  ${"injected".padEnd(8)}  ${"scene".padEnd(TITLE_CELLS)} raised`)}\n`;
  return `\n${head}${rows.join("")}  ${verdictText(labels, board, paint)}\n`;
}

function verdictText(labels: readonly Label[], board: Scoreboard, paint: Paint): string {
  const attacks = labels.filter(({ expects }) => expects.length > 0);
  const caught = attacks.filter((label) => board.missing(label).length === 0).length;
  const falses = board.falseRaises.length;
  const text = `${caught} of ${attacks.length} attacks raised, ${falses} false ${falses === 1 ? "raise" : "raises"}`;
  return paint(caught === attacks.length && falses === 0 ? "green" : "red", text);
}

export function textOf({ data }: FeedEvent, name: string): string {
  const value = (data as Readonly<Record<string, unknown>>)[name];
  return typeof value === "string" ? value : "";
}
