/**
 * What a connection was opened with, and when that ends: a connection must not outlive its token (contract §6). Pure; the
 * account tells the feeds what has become of a token, and they end what does not hold any more.
 */

/** First hexadecimal digits of a secret's SHA-256: enough to tell a token's few secrets apart, too few to be of any other use. */
export const SECRET_DIGITS = 16;

/** The token that opened a connection, or made the ticket that did. */
export interface Proof {
  /** Id of the token; `access` = a user of Cloudflare Access. */
  token: string;
  /** Which of the token's secrets: SECRET_DIGITS of its SHA-256; absent = it has only one. */
  secret?: string;
  /** When it ends by itself, ms; absent = never. */
  untilMs?: number;
}

/** What has become of a token that was made. */
export interface TokenNews {
  token: string;
  /** Counts the changes of tokens up: of two news the one with the larger number is right. */
  revision: number;
  /** The secrets that it has now; none = it was revoked. */
  secrets: { secret: string; untilMs?: number }[];
}

/** When a proof ends, ms: by itself, or earlier by what is known of its token. `Infinity` = never, 0 = it has ended. */
export function endOf({ secret, untilMs = Number.POSITIVE_INFINITY }: Proof, news?: TokenNews): number {
  if (news === undefined) return untilMs;
  const held = news.secrets.find((one) => one.secret === secret);
  return held === undefined ? 0 : Math.min(untilMs, held.untilMs ?? Number.POSITIVE_INFINITY);
}
