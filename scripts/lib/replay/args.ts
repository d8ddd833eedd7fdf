/** The command line of `replay`. */
import { parseDuration } from "../../../src/base/time.ts";
import { isJa4 } from "../../../src/wire/ja4.ts";
import type { Environment } from "../args.ts";
import { Failure } from "../failure.ts";
import {
  CONNECTION_OPTIONS,
  CONNECTION_USAGE,
  type Connection,
  parseFlags,
  readConnection,
} from "../flags.ts";
import { FORMATS, type Format } from "./format.ts";

/** How records without a JA4 get one: by user agent, by address, or the one value given. */
export type Ja4By = "ua" | "ip" | { readonly value: string };

export interface ReplayArgs {
  readonly connection: Connection;
  readonly files: readonly string[];
  /** Absent = guessed for each file. */
  readonly format: Format | undefined;
  /** Times real time; Infinity = max. */
  readonly speed: number;
  readonly now: boolean;
  readonly compressMs: number | undefined;
  /** Absent = `ua`, and only for a log in which no record has a JA4. */
  readonly ja4By: Ja4By | undefined;
  readonly repeat: number;
  readonly again: boolean;
  readonly stateDir: string;
}

const STATE_DEFAULT = ".hellotide/replay";
const REPEAT_MAX = 1_000;

export const REPLAY_USAGE = `Usage: npm run replay -- FILE... [flags]

Sends a real access log, plain or gzip, to a server. Several files are one log, in the order given (oldest first).

${CONNECTION_USAGE}  --format NAME       ${FORMATS.join(", ")}; absent: guessed from the first lines
  --speed N|max       N times real time; max (the default) as fast as the server takes it
  --now               shift all times so that the newest record is sent now (with --speed max: is now)
  --compress 50m      rescale the log's whole span to that length (s, m, h, d), order kept
  --ja4-by ua|ip|JA4  give records without a JA4 one: by user agent family (default for a log that has none), one
                      for each address, or this one for all. Browsers get values of FoxIO's published mapping;
                      t00d0000ua_… and t00d0000ip_… are made up and cannot be real (no cipher, no extension).
  --repeat N          send every record N times (same times)
  --again             with --now: a new replay, even where the last one would be continued
  --state DIR         where --now keeps its start times; ${STATE_DEFAULT}
  --help              this text

Formats: combined and common (Apache, nginx; also with the virtual host first), ndjson (observations as the API takes
them, or Traefik's JSON access log), logpush (Cloudflare http_requests; Worker subrequests are skipped).

Counting nothing twice: each piece of at most 5,000 records has an idempotency key of the files' contents, the flags, the
site and its number. The same command again (after a crash, a lost server, by mistake) sends the same keys, and the
server counts nothing twice. With --now the times depend on the start, so the start is kept in --state and the same
command within the hour continues that replay with its times, unless --again is given or the server's data are gone.

An observation older than 1 h is expired: an old log needs --now, and --compress when it is longer than that.

Exit code: 0 every readable record was accepted, 1 some were not (the totals say which), 2 wrong use.
`;

const OPTIONS = {
  ...CONNECTION_OPTIONS,
  format: { type: "string" },
  speed: { type: "string" },
  now: { type: "boolean" },
  compress: { type: "string" },
  "ja4-by": { type: "string" },
  repeat: { type: "string" },
  again: { type: "boolean" },
  state: { type: "string" },
} as const;

/** `"help"` when the user asked for the usage text. */
export function readReplayArgs(argv: readonly string[], environment: Environment): ReplayArgs | "help" {
  const { values, positionals } = parseFlags(argv, OPTIONS, true);
  if (values.help === true) return "help";
  if (positionals.length === 0) throw new Failure("needs at least one log FILE (--help lists the flags)", 2);
  return {
    files: positionals,
    format: readFormat(values.format),
    speed: readSpeed(values.speed ?? "max"),
    now: values.now === true,
    compressMs: readCompress(values.compress),
    ja4By: readJa4By(values["ja4-by"]),
    repeat: readRepeat(values.repeat ?? "1"),
    again: values.again === true,
    stateDir: values.state || STATE_DEFAULT,
    connection: readConnection(values, environment),
  };
}

function readFormat(text: string | undefined): Format | undefined {
  const format = FORMATS.find((known) => known === text);
  if (text !== undefined && format === undefined) {
    throw new Failure(`--format: one of ${FORMATS.join(", ")}, not ${text}`, 2);
  }
  return format;
}

function readSpeed(text: string): number {
  if (text === "max") return Number.POSITIVE_INFINITY;
  const speed = /^\d+(\.\d+)?$/.test(text) ? Number(text) : 0;
  if (!(speed > 0 && Number.isFinite(speed))) {
    throw new Failure(`--speed: a number above 0, or max, not ${text}`, 2);
  }
  return speed;
}

function readCompress(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseDuration(text);
  if (ms === undefined || ms === 0) throw new Failure(`--compress: a length such as 50m, not ${text}`, 2);
  return ms;
}

function readJa4By(text: string | undefined): Ja4By | undefined {
  if (text === undefined || text === "ua" || text === "ip") return text;
  if (!isJa4(text)) throw new Failure(`--ja4-by: ua, ip, or a JA4 fingerprint, not ${text}`, 2);
  return { value: text };
}

function readRepeat(text: string): number {
  const repeat = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (repeat < 1 || repeat > REPEAT_MAX) throw new Failure(`--repeat: 1 to ${REPEAT_MAX}, not ${text}`, 2);
  return repeat;
}
