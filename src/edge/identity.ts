/**
 * Addresses as text → the bytes that are hashed. Behind this file no address exists any more, and none is kept. IPv4 counts
 * by address, IPv6 by /64, since one subscriber usually holds a whole /64.
 *
 * By hand, because every request has one: through a library this was a quarter of the observer's time
 * (docs/performance.md). A property test holds the two together.
 */
import type { KeyedHash } from "../base/hash.ts";

const ZERO = 48;
const DOT = 46;
const COLON = 58;
const GROUPS = 8;
/** Value of a hexadecimal digit by its code, NO_DIGIT for every other ASCII character. */
const NO_DIGIT = 255;
const HEX = new Uint8Array(128).fill(NO_DIGIT);
for (let digit = 0; digit < 16; digit++) {
  const text = digit.toString(16);
  HEX[text.charCodeAt(0)] = digit;
  HEX[text.toUpperCase().charCodeAt(0)] = digit;
}

/**
 * One address at a time: `parse` leaves it in place until the next call, so that none needs an object. Text forms of IPv6:
 * RFC 4291 §2.2, 1–3. A zone (`%eth0`) means something on one machine only and is refused, as is what some readers take
 * for octal or hexadecimal (`127.1`, `0x7f.0.0.1`, `010.0.0.1`).
 */
export class AddressParser {
  readonly #groups = new Uint16Array(GROUPS);
  /** The first `length` identify the client. */
  readonly bytes = new Uint8Array(8);
  /** 4 of an IPv4 (also IPv4-mapped IPv6), 8 of an IPv6, 0 = none. */
  length = 0;

  /** Whether `text` is an address. */
  parse(text: string): boolean {
    const length = text.length;
    this.length = 0;
    // The longest form is eight groups with a dotted end: 45 characters.
    if (length < 2 || length > 45) return false;
    // An IPv6 has its first colon within five characters, an IPv4 has none.
    for (let i = 0; i < 5 && i < length; i++) {
      if (text.charCodeAt(i) === COLON) return this.#ipv6(text);
    }
    if (!this.#ipv4(text, 0)) return false;
    this.length = 4;
    return true;
  }

  /** Hash of the parsed address. */
  hash(hash: KeyedHash): number {
    return hash.bytes(this.bytes, this.length);
  }

  /** Four decimal parts from `from` to the end, into the first four bytes. */
  #ipv4(text: string, from: number): boolean {
    const length = text.length;
    if (length - from < 7 || length - from > 15) return false;
    let part = 0;
    let digits = 0;
    let value = 0;
    for (let i = from; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code === DOT) {
        if (digits === 0 || part === 3) return false;
        this.bytes[part++] = value;
        digits = 0;
        value = 0;
        continue;
      }
      const digit = code - ZERO;
      // A leading zero means octal to some readers: no address says it.
      if (digit < 0 || digit > 9 || (digits > 0 && value === 0)) return false;
      value = value * 10 + digit;
      digits++;
      if (value > 255) return false;
    }
    if (part !== 3 || digits === 0) return false;
    this.bytes[3] = value;
    return true;
  }

  #ipv6(text: string): boolean {
    const groups = this.#groups;
    const length = text.length;
    let count = 0;
    /** Group before which `::` stands; −1 = nowhere yet. */
    let gap = -1;
    let i = 0;
    if (text.charCodeAt(0) === COLON) {
      if (text.charCodeAt(1) !== COLON) return false;
      gap = 0;
      i = 2;
    }
    while (i < length) {
      if (count === GROUPS) return false;
      const start = i;
      let value = 0;
      let code = 0;
      for (; i < length; i++) {
        code = text.charCodeAt(i);
        const digit = code < 128 ? HEX[code]! : NO_DIGIT;
        if (digit === NO_DIGIT) break;
        value = (value << 4) | digit;
      }
      if (i < length && code === DOT) {
        // The last 32 bits as an IPv4.
        if (count > GROUPS - 2 || !this.#ipv4(text, start)) return false;
        groups[count++] = (this.bytes[0]! << 8) | this.bytes[1]!;
        groups[count++] = (this.bytes[2]! << 8) | this.bytes[3]!;
        break;
      }
      if (i === start || i - start > 4) return false;
      groups[count++] = value;
      if (i === length) break;
      if (code !== COLON || ++i === length) return false;
      if (text.charCodeAt(i) === COLON) {
        if (gap >= 0) return false;
        gap = count;
        i++;
      }
    }
    if (gap < 0 ? count !== GROUPS : count === GROUPS) return false;
    if (gap >= 0) {
      groups.copyWithin(GROUPS - count + gap, gap, count);
      groups.fill(0, gap, GROUPS - count + gap);
    }
    return this.#finish();
  }

  #finish(): boolean {
    const groups = this.#groups;
    const mapped =
      (groups[0]! | groups[1]! | groups[2]! | groups[3]! | groups[4]!) === 0 && groups[5] === 0xffff;
    this.length = mapped ? 4 : 8;
    if (mapped) {
      this.#put(0, groups[6]!);
      this.#put(2, groups[7]!);
      return true;
    }
    this.#put(0, groups[0]!);
    this.#put(2, groups[1]!);
    this.#put(4, groups[2]!);
    this.#put(6, groups[3]!);
    return true;
  }

  #put(at: number, group: number): void {
    this.bytes[at] = group >>> 8;
    this.bytes[at + 1] = group & 0xff;
  }
}
