/** What the client commands (`replay`, `tail`) share: flags, and how they reach a site of a server. */
import { type ParseArgsConfig, parseArgs } from "node:util";
import { isSite } from "../../src/options.ts";
import type { Environment } from "./args.ts";
import { errorText, Failure } from "./failure.ts";

export interface Connection {
  /** Ends with a slash, so that a server below a path prefix works as well. */
  readonly url: URL;
  readonly token: string;
  readonly site: string;
}

type Options = NonNullable<ParseArgsConfig["options"]>;

export const CONNECTION_OPTIONS = {
  url: { type: "string" },
  token: { type: "string" },
  site: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

export const CONNECTION_USAGE = `  --url URL           the server; http://127.0.0.1:8787        (HELLOTIDE_URL)
  --token TOKEN       API token                               (HELLOTIDE_TOKEN)
  --site default      the site
`;

const URL_DEFAULT = "http://127.0.0.1:8787";
const SITE_DEFAULT = "default";
/** Anything else could not be sent in a header. */
const TOKEN_FORM = /^[\x21-\x7e]+$/;

export function parseFlags<T extends Options>(
  argv: readonly string[],
  options: T,
  allowPositionals: boolean,
) {
  try {
    return parseArgs({ args: [...argv], options, strict: true, allowPositionals });
  } catch (error) {
    // Node adds advice about `--` in further sentences; the first one names the flag.
    const [first = ""] = errorText(error).split(/\.\s|\n/);
    throw new Failure(`${first} (--help lists the flags)`, 2);
  }
}

export function readConnection(
  flags: {
    readonly url?: string | undefined;
    readonly token?: string | undefined;
    readonly site?: string | undefined;
  },
  environment: Environment,
): Connection {
  // An empty variable counts as unset, as a compose file writes it.
  const token = flags.token ?? (environment.HELLOTIDE_TOKEN || undefined);
  if (token === undefined) throw new Failure("needs an API token: --token or HELLOTIDE_TOKEN", 2);
  if (!TOKEN_FORM.test(token)) throw new Failure("--token: has characters that no header can carry", 2);
  const site = flags.site ?? SITE_DEFAULT;
  if (!isSite(site)) throw new Failure(`--site: not a site's name: ${site}`, 2);
  return { url: readUrl(flags.url ?? (environment.HELLOTIDE_URL || URL_DEFAULT)), token, site };
}

function readUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new Failure(`--url: not an http or https address: ${text}`, 2);
  }
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  url.search = "";
  url.hash = "";
  return url;
}

/** `http://host/v1/sites/SITE/PATH`. */
export function siteUrl({ url, site }: Connection, path: string): URL {
  return new URL(`v1/sites/${site}/${path}`, url);
}
