/**
 * Identities become 32-bit keyed hashes here; behind this file no address, agent, path or host exists any more
 * except in samples (which never carry an address). IPv4 counts by address, IPv6 by /64, since one subscriber
 * usually holds a whole /64.
 */
import ipaddr from "ipaddr.js";
import type { KeyedHash } from "../base/hash.ts";

/** 4 bytes of an IPv4 (also IPv4-mapped IPv6), 8 of an IPv6; `undefined` when the text is not an address. */
export function addressBytes(text: string): Uint8Array | undefined {
  if (text.includes(":")) {
    // A zone (`%eth0`) means something on one machine only; it does not belong to a client's address.
    if (text.includes("%") || !ipaddr.IPv6.isValid(text)) return undefined;
    const address = ipaddr.IPv6.parse(text);
    if (address.isIPv4MappedAddress()) return Uint8Array.from(address.toIPv4Address().octets);
    return Uint8Array.from(address.toByteArray().slice(0, 8));
  }
  return ipv4Bytes(text);
}

const ZERO = 48;
const DOT = 46;

/**
 * Four decimal parts only: `127.1` or `0x7f.1` in a log is a fault, not an address. By hand, because every request has one:
 * through the library this was a quarter of the observer's time (docs/performance.md); a property test holds the two together.
 */
function ipv4Bytes(text: string): Uint8Array | undefined {
  if (text.length < 7 || text.length > 15) return undefined;
  const bytes = new Uint8Array(4);
  let part = 0;
  let digits = 0;
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === DOT) {
      if (digits === 0 || part === 3) return undefined;
      bytes[part++] = value;
      digits = 0;
      value = 0;
      continue;
    }
    const digit = code - ZERO;
    // A leading zero means octal to some readers: no address says it.
    if (digit < 0 || digit > 9 || (digits > 0 && value === 0)) return undefined;
    value = value * 10 + digit;
    digits++;
    if (value > 255) return undefined;
  }
  if (part !== 3 || digits === 0) return undefined;
  bytes[3] = value;
  return bytes;
}

/** Hash of an address that `addressBytes` made. */
export function hashAddress(hash: KeyedHash, address: Uint8Array): number {
  return hash.bytes(address, address.length);
}
