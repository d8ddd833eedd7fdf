/** Observation → row: facts become flag bits, identities become keyed hashes. */
import type { KeyedHash } from "../base/hash.ts";
import { factBits, HAS_ASN, HAS_HOST, HAS_IP, HAS_PATH, HAS_SIGNALS, HAS_UA } from "../wire/flags.ts";
import type { Row } from "../wire/frame-builder.ts";
import type { Observation } from "../wire/observation.ts";
import { GLOBAL_SIGNALS } from "../wire/signal-names.ts";
import { addressBytes, hashAddress } from "./identity.ts";
import type { UserAgentClassifier } from "./user-agent.ts";

/** The row of an observation; a string (what is wrong) when its address is none. */
export function toRow(observation: Observation, hash: KeyedHash, agents: UserAgentClassifier): Row | string {
  const { clientIp, userAgent, path, host, asn, status, ja4 } = observation;
  const address = clientIp === undefined ? undefined : addressBytes(clientIp);
  if (clientIp !== undefined && address === undefined) return "client_ip is not an IPv4 or IPv6 address";
  const agent = userAgent === undefined ? undefined : agents.classify(userAgent);
  // Signals belong to a fingerprint; without one there is nothing that they could describe.
  const signals = ja4 === undefined ? undefined : observation.signals;
  return {
    timestampMs: observation.timestampMs,
    ja4: ja4 ?? "",
    flags:
      factBits("h2h3", observation.h2h3) |
      factBits("heuristic", observation.heuristic) |
      factBits("browser", agent?.browser) |
      factBits("bot", observation.verifiedBot ?? agent?.bot) |
      factBits("cache", observation.cache) |
      factBits("error", status === undefined ? undefined : status >= 400) |
      (address === undefined ? 0 : HAS_IP) |
      (userAgent === undefined ? 0 : HAS_UA) |
      (path === undefined ? 0 : HAS_PATH) |
      (host === undefined ? 0 : HAS_HOST) |
      (asn === undefined ? 0 : HAS_ASN) |
      (signals === undefined ? 0 : HAS_SIGNALS),
    ipHash: address === undefined ? 0 : hashAddress(hash, address),
    uaHash: userAgent === undefined ? 0 : hash.text(userAgent),
    pathHash: path === undefined ? 0 : hash.text(path),
    hostHash: host === undefined ? 0 : hash.text(host),
    asnNumber: asn ?? 0,
    signals: signals === undefined ? undefined : dense(signals),
    path,
    host,
    method: observation.method,
    status,
    asn,
    rayId: observation.rayId,
  };
}

/** By a loop: `Float64Array.from` with a function costs several times as much, for every request. */
function dense(signals: NonNullable<Observation["signals"]>): Float64Array {
  const values = new Float64Array(GLOBAL_SIGNALS.length);
  for (let i = 0; i < values.length; i++) values[i] = signals[GLOBAL_SIGNALS[i]!] ?? Number.NaN;
  return values;
}
