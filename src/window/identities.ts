/** What is counted as distinct of a fingerprint, in the order of the wire's IDENTITIES (ip, ua, path, host, asn). */
import { HAS_ASN, HAS_HOST, HAS_IP, HAS_PATH, HAS_UA } from "../wire/flags.ts";
import { NEW_IPS, NEW_PATHS, NEW_UAS, SHOWS_NEW_IP, SHOWS_NEW_PATH, SHOWS_NEW_UA } from "./tally.ts";

/** Flag bit that says that a request carried the identity. */
export const IDENTITY_FLAGS = [HAS_IP, HAS_UA, HAS_PATH, HAS_HOST, HAS_ASN] as const;
/** Bit that says that the hour had not seen it; 0 = not kept. */
export const SHOWS_NEW = [SHOWS_NEW_IP, SHOWS_NEW_UA, SHOWS_NEW_PATH, 0, 0] as const;
/** Tally column of those; −1 = not counted. */
export const NEW_COLUMNS = [NEW_IPS, NEW_UAS, NEW_PATHS, -1, -1] as const;

const ASN = 4;

/**
 * An identity as sets want it: 32 bits without a pattern, as a signed number. Hashes are that already; AS numbers are made
 * so (Ellis, "triple32", https://github.com/skeeto/hash-prospector): different numbers stay different.
 */
export function hashOf(identity: number, value: number): number {
  if (identity !== ASN) return value | 0;
  let x = value;
  x = Math.imul(x ^ (x >>> 17), 0xed5ad4bb);
  x = Math.imul(x ^ (x >>> 11), 0xac4c1b51);
  x = Math.imul(x ^ (x >>> 15), 0x31848bab);
  return x ^ (x >>> 14);
}
