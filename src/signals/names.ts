/**
 * Names of the clients that are known to send a fingerprint. A JA4 is no identity: programs that use one library share it,
 * and bots imitate browsers. So a name says where it is from and how much it may be trusted:
 *
 *   medium   the fingerprint as a whole is listed, for this one client, which is not a browser
 *   low      a browser; or several clients are listed; or only ciphers and extensions (parts b and c) are the same, as
 *            with the same client on another protocol, or with an address instead of a server name
 */
import { FOXIO_MAPPING } from "./names-table.ts";

/** Members as in answers (contract §4). */
export interface ClientName {
  name: string;
  source: string;
  confidence: "low" | "medium";
}

const SOURCE = "FoxIO mapping";
const BROWSERS = new Set(["Chromium", "Firefox", "Safari"]);
/** Where parts b and c begin in a JA4. */
const CIPHERS_AT = 11;

const BY_FINGERPRINT = new Map<string, ClientName[]>();
const BY_PARTS = new Map<string, ClientName[]>();
for (const line of FOXIO_MAPPING.trim().split("\n")) {
  const at = line.indexOf(" ");
  const ja4 = line.slice(0, at);
  const names = line.slice(at + 1).split("|");
  BY_FINGERPRINT.set(
    ja4,
    names.map((name) => ({
      name,
      source: SOURCE,
      confidence: names.length > 1 || BROWSERS.has(name) ? "low" : "medium",
    })),
  );
  const alike = BY_PARTS.get(ja4.slice(CIPHERS_AT)) ?? [];
  for (const name of names)
    if (!alike.some((known) => known.name === name)) alike.push({ name, source: SOURCE, confidence: "low" });
  BY_PARTS.set(ja4.slice(CIPHERS_AT), alike);
}

/** The names of a fingerprint, `[]` when none is known; shared by all callers, who leave them as they are. */
export function namesOf(ja4: string): ClientName[] {
  return BY_FINGERPRINT.get(ja4) ?? BY_PARTS.get(ja4.slice(CIPHERS_AT)) ?? [];
}
