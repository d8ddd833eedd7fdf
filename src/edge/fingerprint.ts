/** Which fingerprint a request is counted under. */
import { isJa4 } from "../wire/ja4.ts";
import type { SeenRequest } from "./exchange.ts";
import { objectOf } from "./fields.ts";
import { pseudoFingerprint } from "./pseudo.ts";
import { TextCache } from "./text-cache.ts";

export interface FingerprintOptions {
  /** A trusted header that carries the JA4 where `request.cf` has none. */
  ja4Header?: string | undefined;
  /** Make a pseudo fingerprint of TLS facts where there is no JA4. */
  orTls?: boolean;
}

/**
 * Fingerprints that were checked, each as one string: what looks it up in a map has its hash already. JA4s are public, and
 * few beside the requests that carry them.
 */
const known = new TextCache<string>({ slots: 4_096, maxChars: 36, tail: 8, spread: 2 });

/** The value when it is a JA4, as the string that was seen first; else `undefined`. */
export function knownJa4(value: unknown): string | undefined {
  if (typeof value !== "string" || value === "") return undefined;
  const found = known.get(value);
  if (found !== undefined) return found;
  if (!isJa4(value)) return undefined;
  known.set(value, value);
  return value;
}

/** The trusted header's value; `null` when there is none to trust. */
export function headerJa4(request: Pick<SeenRequest, "headers">, options: FingerprintOptions): string | null {
  return options.ja4Header === undefined ? null : request.headers.get(options.ja4Header);
}

/** Cloudflare's JA4, else the trusted header's, else a pseudo fingerprint where that is asked for. */
export function fingerprintOf(
  request: Pick<SeenRequest, "headers" | "cf">,
  options: FingerprintOptions,
): string | undefined {
  const cf = objectOf(request.cf);
  return (
    knownJa4(objectOf(cf.botManagement).ja4) ??
    knownJa4(headerJa4(request, options)) ??
    (options.orTls === true ? pseudoFingerprint(cf) : undefined)
  );
}
