/** The command line of `tail`. */
import type { Environment } from "../args.ts";
import { Failure } from "../failure.ts";
import {
  CONNECTION_OPTIONS,
  CONNECTION_USAGE,
  type Connection,
  parseFlags,
  readConnection,
} from "../flags.ts";

export interface TailArgs {
  readonly connection: Connection;
  /** Kinds, with commas between; which there are is the server's to say. */
  readonly kind: string | undefined;
  readonly minScore: number | undefined;
  readonly since: string | undefined;
  readonly json: boolean;
}

/** The highest score (contract §5). */
const SCORE_MAX = 30;

export const TAIL_USAGE = `Usage: npm run tail -- [flags]

Shows a site's anomalies as they happen, one line each, until Ctrl-C. Reconnects by itself and goes on after the last
event that it showed, so that none is missed and none comes twice.

${CONNECTION_USAGE}  --kind a,b          only these kinds (surge, ua_rotation, path_scan, threshold, …)
  --min-score N       hide events with a lower score (0 to ${SCORE_MAX}); those without a score stay
  --since CURSOR      begin after this cursor; 0 = all that is kept; absent: what happens from now on
  --json              one CloudEvent a line, as it came, for jq; without frames about the connection
  --help              this text

Standard error says when it connects, loses the server, resumes, or meets a gap, and at the end the cursor to go on from.
Colour only on a terminal, and not when NO_COLOR is set.

Exit code: 0 on Ctrl-C or SIGTERM, 1 when the server refuses (token, scope, site), 2 wrong use.
`;

const OPTIONS = {
  ...CONNECTION_OPTIONS,
  kind: { type: "string" },
  "min-score": { type: "string" },
  since: { type: "string" },
  json: { type: "boolean" },
} as const;

/** `"help"` when the user asked for the usage text. */
export function readTailArgs(argv: readonly string[], environment: Environment): TailArgs | "help" {
  const { values } = parseFlags(argv, OPTIONS, false);
  if (values.help === true) return "help";
  const { kind, since, "min-score": minScore } = values;
  if (kind !== undefined && !/^[a-z_]+(,[a-z_]+)*$/.test(kind)) {
    throw new Failure(`--kind: names with commas between, not ${kind}`, 2);
  }
  if (minScore !== undefined && !(/^\d+(\.\d+)?$/.test(minScore) && Number(minScore) <= SCORE_MAX)) {
    throw new Failure(`--min-score: a number from 0 to ${SCORE_MAX}, not ${minScore}`, 2);
  }
  if (since !== undefined && !/^\d{1,16}$/.test(since)) {
    throw new Failure(`--since: a cursor (up to 16 digits), not ${since}`, 2);
  }
  return {
    connection: readConnection(values, environment),
    kind,
    minScore: minScore === undefined ? undefined : Number(minScore),
    since,
    json: values.json === true,
  };
}
