/** The command line of `serve`: flags, their HELLOTIDE_* twins, defaults, and loopback rules. */
import { isIP } from "node:net";
import { Failure } from "./failure.ts";
import { parseFlags } from "./flags.ts";

export interface ServeArgs {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  readonly persistDir: string;
  /** Absent = make one. */
  readonly token: string | undefined;
  /** Text of SHARDS; absent = the setting, or its default. */
  readonly shards: string | undefined;
  /** Absent = the SITES setting, or SITES_DEFAULT. */
  readonly sites: readonly string[] | undefined;
  readonly testCf: boolean;
}

export type Environment = Readonly<Record<string, string | undefined>>;

const PORT_DEFAULT = "8787";
const HOST_DEFAULT = "127.0.0.1";
const PERSIST_DEFAULT = ".hellotide";
export const SITES_DEFAULT: readonly string[] = ["shop", "api"];

export const SERVE_USAGE = `Usage: npm run serve -- [flags]

Runs the Worker and its Durable Objects on this machine until SIGTERM or Ctrl-C.

  --port 8787         port to listen on; 0 picks a free one   (HELLOTIDE_PORT)
  --host 127.0.0.1    address to listen on                    (HELLOTIDE_HOST)
  --persist DIR       folder of the data, ${PERSIST_DEFAULT}          (HELLOTIDE_PERSIST)
  --token TOKEN       API token with every scope; absent: a   (HELLOTIDE_TOKEN)
                      random one, printed on standard error
  --shards 4          shards of a new site                    (HELLOTIDE_SHARDS)
  --sites shop,api    the sites that exist                    (HELLOTIDE_SITES)
  --test-cf           tests on loopback only: the request header x-test-cf sets request.cf
  --help              this text

Settings (SITES, SHARDS, API_TOKENS, API_HOSTS, ORIGIN_URL, …) are read from the environment.
`;

const OPTIONS = {
  port: { type: "string" },
  host: { type: "string" },
  persist: { type: "string" },
  token: { type: "string" },
  shards: { type: "string" },
  sites: { type: "string" },
  "test-cf": { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

/** What a bearer token may consist of (RFC 6750 §2.1); anything else could not be sent in the header. */
const TOKEN_FORM = /^[A-Za-z0-9\-._~+/]+=*$/;

/** `"help"` when the user asked for the usage text. */
export function readServeArgs(argv: readonly string[], environment: Environment): ServeArgs | "help" {
  const flags = parseFlags(argv, OPTIONS, false).values;
  if (flags.help === true) return "help";
  // An empty variable counts as unset, as a compose file writes it.
  const pick = (flag: string | undefined, name: string) => flag ?? (environment[name] || undefined);

  const host = pick(flags.host, "HELLOTIDE_HOST") ?? HOST_DEFAULT;
  if (host === "" || /[\s/]/.test(host)) throw new Failure(`--host: not a host name or address: ${host}`, 2);
  const persistDir = pick(flags.persist, "HELLOTIDE_PERSIST") ?? PERSIST_DEFAULT;
  if (persistDir === "") throw new Failure("--persist: needs a folder", 2);
  const token = pick(flags.token, "HELLOTIDE_TOKEN");
  if (token !== undefined && !TOKEN_FORM.test(token)) {
    throw new Failure("--token: may only have letters, digits and - . _ ~ + / =", 2);
  }
  const sites = pick(flags.sites, "HELLOTIDE_SITES");
  const testCf = flags["test-cf"] === true;
  if (testCf && !isLoopback(host)) {
    throw new Failure(
      `--test-cf: any client could set request.cf, so it needs a loopback --host, not ${host}`,
      2,
    );
  }
  if (environment.WEBHOOK_TEST_TARGETS && !isLoopback(host)) {
    throw new Failure(
      `WEBHOOK_TEST_TARGETS: whoever may write webhooks could reach this machine, so it needs a loopback --host, not ${host}`,
      2,
    );
  }
  return {
    host,
    port: readPort(pick(flags.port, "HELLOTIDE_PORT") ?? PORT_DEFAULT),
    persistDir,
    token,
    shards: pick(flags.shards, "HELLOTIDE_SHARDS"),
    sites: sites === undefined ? undefined : splitList(sites),
    testCf,
  };
}

function readPort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535)) throw new Failure(`--port: not a port number: ${text}`, 2);
  return port;
}

function splitList(text: string): string[] {
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

function isLoopback(host: string): boolean {
  const address = host.replace(/^\[(.*)\]$/, "$1").toLowerCase();
  if (isIP(address) === 4) return address.startsWith("127.");
  return address === "::1" || address === "localhost";
}

/** `host:port` as it stands in a URL and in workerd's address option. */
export function authority(host: string, port: number): string {
  const bare = host.replace(/^\[(.*)\]$/, "$1");
  return isIP(bare) === 6 ? `[${bare}]:${port}` : `${bare}:${port}`;
}
