/**
 * Networks and addresses that belong to nobody: AS numbers of RFC 5398, addresses of RFC 2544 (198.18.0.0/15),
 * RFC 5737 and RFC 3849 (documentation).
 */
import type { Draw } from "./random.ts";

const ASNS: readonly number[] = [
  ...Array.from({ length: 16 }, (_, i) => 64_496 + i),
  ...Array.from({ length: 16 }, (_, i) => 65_536 + i),
];
/** 198.18.0.0/15 holds a /20 for each of the 32 networks. */
const ADDRESSES_EACH = 4_096;
/** Of an ordinary network's visitors; the rest comes over IPv4. */
const IPV6_SHARE = 0.35;

/** Consumers' providers, and where servers stand. */
export const EYEBALLS: readonly number[] = ASNS.slice(0, 20);
export const CLOUDS: readonly number[] = ASNS.slice(20, 30);
/** What attackers in this demo rent. */
export const RENTED: readonly number[] = ASNS.slice(30);

export function address(asn: number, draw: Draw): string {
  const index = Math.max(ASNS.indexOf(asn), 0);
  if (draw.chance(IPV6_SHARE)) return ipv6(index, draw);
  const at = index * ADDRESSES_EACH + draw.int(ADDRESSES_EACH);
  return `198.${18 + (at >>> 16)}.${(at >>> 8) & 255}.${at & 255}`;
}

/** A /64 of the network's own /40. */
function ipv6(index: number, draw: Draw): string {
  const subscriber = draw.int(0x10000).toString(16);
  return `2001:db8:${((index << 8) | draw.int(16)).toString(16)}:${subscriber}::${1 + draw.int(9)}`;
}

/** One of 254 in each of the three small documentation nets: few addresses, as a single rented host has. */
export function hostAddress(net: number, host: number): string {
  const prefixes = ["192.0.2", "198.51.100", "203.0.113"];
  return `${prefixes[net % prefixes.length]}.${1 + (host % 254)}`;
}
