/**
 * Where a webhook may go (contract §5). Users write these addresses, our servers call them: whoever may write one must not
 * be able to reach what only our servers can reach (OWASP, Server-Side Request Forgery Prevention). Checked is what the URL
 * parser makes of it (WHATWG URL), which is also what is fetched: decimal, octal and hexadecimal addresses, full-width dots
 * and percent-encodings are plain by then. That a public name resolves to a private address only the platform can see
 * (`global_fetch_strictly_public`).
 */

const URL_MAX_CHARS = 2_048;
const HOST_MAX_CHARS = 253;
/** Ends of names that mean something on a private network, or nothing on the public one (RFC 6761, 6762, 7686, 8375, 9476). */
const PRIVATE_SUFFIXES = [
  ...[
    "localhost",
    "local",
    "internal",
    "localdomain",
    "home.arpa",
    "arpa",
    "lan",
    "home",
    "corp",
    "intranet",
  ],
  ...["private", "onion", "alt", "invalid"],
];
/** Public names that resolve to whatever address they spell out, or to loopback. */
const ECHO_SUFFIXES = [
  ...["nip.io", "sslip.io", "xip.io", "traefik.me", "localtest.me", "lvh.me", "vcap.me", "lacolhost.com"],
  ...["backname.io", "1u.ms", "rbndr.us"],
];
/** Controls, spaces and the backslash, which parsers strip or turn into a slash without a word. */
const STRIPPED = /[^!-[\]-~\u00a1-\u{10ffff}]/u;
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const LOOPBACK = ["127.0.0.1", "localhost", "[::1]"];

export interface TargetRules {
  /** Hosts that HelloTide itself answers on: a webhook to them would be a loop. */
  ownHosts: readonly string[];
  /** For tests: http and https on loopback, any port, are allowed too. */
  loopback: boolean;
}

/** Why a webhook may not go there, as the end of the sentence "The URL …"; `undefined` when it may. */
export function targetFault(text: string, { ownHosts, loopback }: TargetRules): string | undefined {
  if (text.length > URL_MAX_CHARS) return `has more than ${URL_MAX_CHARS} characters`;
  if (STRIPPED.test(text)) return "has spaces, control characters or backslashes";
  const url = URL.parse(text);
  if (url === null) return "is no absolute URL";
  if (url.username !== "" || url.password !== "") return "has credentials in it";
  if (url.hash !== "" || text.includes("#")) return "has a fragment";
  if (loopback && LOOPBACK.includes(url.hostname) && /^https?:$/.test(url.protocol)) return undefined;
  if (url.protocol !== "https:") return "must begin with https://";
  if (url.port !== "") return "must use port 443";
  return hostFault(url.hostname, text, ownHosts);
}

function hostFault(host: string, text: string, ownHosts: readonly string[]): string | undefined {
  if (authorityOf(text).includes("%")) return "has a percent-encoding in its host";
  if (host.startsWith("[")) return "must have a host name, not an address";
  if (host.endsWith(".")) return "must not end its host with a dot";
  const labels = host.split(".");
  if (host.length > HOST_MAX_CHARS || !labels.every((label) => LABEL.test(label)))
    return "has a host that is no host name";
  // What looks like a number at the end is an address to some resolver, even where the parser let it pass.
  if (/^[0-9]+$|^0x[0-9a-f]*$/.test(labels.at(-1)!)) return "must have a host name, not an address";
  if (labels.length < 2) return "must have a full host name";
  const isUnder = (suffix: string) => host === suffix || host.endsWith(`.${suffix}`);
  if (PRIVATE_SUFFIXES.some(isUnder)) return "has a host of a private network";
  if (ECHO_SUFFIXES.some(isUnder)) return "has a host that resolves to any address";
  if (ownHosts.some((own) => host === own.toLowerCase())) return "leads back to HelloTide itself";
  return undefined;
}

/** What stands between the scheme and the path, before anything is decoded. */
function authorityOf(text: string): string {
  return /^[a-z]+:\/*([^/?#]*)/i.exec(text)?.[1] ?? "";
}
