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
  // Four decimal parts only: `127.1` or `0x7f.1` in a log is a fault, not an address.
  if (!ipaddr.IPv4.isValidFourPartDecimal(text)) return undefined;
  return Uint8Array.from(ipaddr.IPv4.parse(text).octets);
}

/** Hash of an address that `addressBytes` made. */
export function hashAddress(hash: KeyedHash, address: Uint8Array): number {
  return hash.bytes(address, address.length);
}
