/** What is counted as distinct of a fingerprint, in the order of the wire's IDENTITIES (ip, ua, path, host, asn). */
import { HAS_ASN, HAS_HOST, HAS_IP, HAS_PATH, HAS_UA } from "../wire/flags.ts";
import { NEW_IPS, NEW_PATHS, NEW_UAS, SHOWS_NEW_IP, SHOWS_NEW_PATH, SHOWS_NEW_UA } from "./tally.ts";

/** Flag bit that says that a request carried the identity. */
export const IDENTITY_FLAGS = [HAS_IP, HAS_UA, HAS_PATH, HAS_HOST, HAS_ASN] as const;
/** Bit that says that the hour had not seen it; 0 = not kept. */
export const SHOWS_NEW = [SHOWS_NEW_IP, SHOWS_NEW_UA, SHOWS_NEW_PATH, 0, 0] as const;
/** Tally column of those; −1 = not counted. */
export const NEW_COLUMNS = [NEW_IPS, NEW_UAS, NEW_PATHS, -1, -1] as const;
