/**
 * Pseudo fingerprints: `x` + 24 hex digits of TLS version, client ciphers and HTTP version, for zones without a JA4 (no
 * Enterprise plan). Coarser than a JA4. The hash of the extensions is left out on purpose: Chrome shuffles them, so it
 * would be another fingerprint for every connection.
 */
import { KeyedHash } from "../base/hash.ts";

/** Three 32-bit lanes under fixed keys: every isolate and site must make the same fingerprint of the same client. */
const LANES = [1, 2, 3].map((lane) => new KeyedHash(new Uint8Array(8).fill(lane)));

/** `undefined` when the TLS facts are not there (plain HTTP, or not behind Cloudflare). */
export function pseudoFingerprint(cf: Record<string, unknown>): string | undefined {
  const { tlsVersion, tlsClientCiphersSha1, httpProtocol } = cf;
  for (const fact of [tlsVersion, tlsClientCiphersSha1, httpProtocol]) {
    if (typeof fact !== "string" || fact === "") return undefined;
  }
  const text = `${tlsVersion}\n${tlsClientCiphersSha1}\n${httpProtocol}`;
  return `x${LANES.map((lane) => lane.text(text).toString(16).padStart(8, "0")).join("")}`;
}
