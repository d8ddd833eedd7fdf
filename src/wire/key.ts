/**
 * A fingerprint as five 32-bit words: what frames carry and shards keep instead of 36 characters. Exact both ways.
 *
 *   JA4     word 0   protocol 2 │ SNI 1 │ version 7 │ ciphers 7 │ extensions 7 │ ALPN, high 8 of 12     (from bit 31 down)
 *           words 1–3   part b (48 bits), part c (48 bits)
 *   pseudo  word 0   protocol 3, the rest 0; words 1–3 its 96 bits
 *   both    word 4   1 │ ALPN, low 4 of 12 << 1; so a key is never all zeros, which stands for "no fingerprint"
 *
 * The version is 00–99, or s0–s9 as 100–109, d0–d9 as 110–119 (SSL and DTLS). JA4: https://github.com/FoxIO-LLC/ja4
 */
import { isJa4 } from "./ja4.ts";

/** 32-bit words of a key. */
export const KEY_WORDS = 5;

const PROTOCOLS = "tqd";
const PSEUDO = 3;
const ALPN_CHARS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const ZERO = 48;

/** Writes the key of a fingerprint to `words[at …]`; "" becomes zeros. False, and nothing written, when it is none. */
export function packKey(ja4: string, words: Uint32Array, at: number): boolean {
  if (ja4 === "") {
    words.fill(0, at, at + KEY_WORDS);
    return true;
  }
  if (!isJa4(ja4)) return false;
  if (ja4.charCodeAt(0) === 120) {
    words[at] = PSEUDO << 30;
    for (let word = 0; word < 3; word++)
      words[at + 1 + word] = hexWord(ja4, 1 + word * 8) * 0x10000 + hexWord(ja4, 5 + word * 8);
    words[at + 4] = 1;
    return true;
  }
  const alpn = alpnCode(ja4.charCodeAt(8)) * 62 + alpnCode(ja4.charCodeAt(9));
  words[at] =
    (PROTOCOLS.indexOf(ja4[0]!) << 30) |
    ((ja4[3] === "i" ? 1 : 0) << 29) |
    (versionCode(ja4) << 22) |
    (decimal(ja4, 4) << 15) |
    (decimal(ja4, 6) << 8) |
    (alpn >>> 4);
  words[at + 1] = hexWord(ja4, 11) * 0x10000 + hexWord(ja4, 15);
  words[at + 2] = hexWord(ja4, 19) * 0x10000 + hexWord(ja4, 24);
  words[at + 3] = hexWord(ja4, 28) * 0x10000 + hexWord(ja4, 32);
  words[at + 4] = 1 | ((alpn & 15) << 1);
  return true;
}

/** The fingerprint of a key that `isKey` accepts; "" of zeros. */
export function unpackKey(words: Uint32Array, at: number): string {
  if (words[at + 4] === 0) return "";
  const first = words[at]!;
  const [one, two, three] = [hex8(words[at + 1]!), hex8(words[at + 2]!), hex8(words[at + 3]!)];
  const protocol = first >>> 30;
  if (protocol === PSEUDO) return `x${one}${two}${three}`;
  const version = (first >>> 22) & 127;
  const alpn = ((first & 0xff) << 4) | (words[at + 4]! >>> 1);
  const head =
    PROTOCOLS[protocol]! +
    (version < 100 ? twoDigits(version) : (version < 110 ? "s" : "d") + (version % 10)) +
    ((first >>> 29) & 1 ? "i" : "d") +
    twoDigits((first >>> 15) & 127) +
    twoDigits((first >>> 8) & 127) +
    ALPN_CHARS[Math.floor(alpn / 62)]! +
    ALPN_CHARS[alpn % 62]!;
  return `${head}_${one}${two.slice(0, 4)}_${two.slice(4)}${three}`;
}

/** Whether five words are what `packKey` writes: one key a fingerprint, or one fingerprint could pass for many. */
export function isKey(words: Uint32Array, at: number): boolean {
  const first = words[at]!;
  const last = words[at + 4]!;
  if (last === 0) return (first | words[at + 1]! | words[at + 2]! | words[at + 3]!) === 0;
  if (first >>> 30 === PSEUDO) return last === 1 && first << 2 === 0;
  const alpn = ((first & 0xff) << 4) | (last >>> 1);
  return (
    (last & 1) === 1 &&
    last < 32 &&
    ((first >>> 22) & 127) < 120 &&
    ((first >>> 15) & 127) < 100 &&
    ((first >>> 8) & 127) < 100 &&
    alpn < 62 * 62
  );
}

/**
 * Where a key's first part stands among all of them in the order of their texts (0–9 < A–Z < a–z), as a whole number of 36
 * bits; keys of one number are in the order of their words 1 to 3. `first` = word 0; `alpnLow` = the low 4 bits of its ALPN.
 * So fingerprints are put in order without their texts being made.
 */
export function textOrder(first: number, alpnLow: number): number {
  const protocol = first >>> 30;
  const version = (first >>> 22) & 127;
  const alpn = ((first & 0xff) << 4) | alpnLow;
  // d, q, t, x; 00–99, d0–d9, s0–s9.
  const protocolOrder = protocol === PSEUDO ? PSEUDO : 2 - protocol;
  const versionOrder = version < 100 ? version : version < 110 ? version + 10 : version - 10;
  const upper = (((protocolOrder << 7) | versionOrder) << 1) | ((first >>> 29) & 1);
  const lower =
    (((first >>> 8) & 0x3fff) << 12) | (alpnOrder(Math.floor(alpn / 62)) * 62 + alpnOrder(alpn % 62));
  return upper * 2 ** 26 + lower;
}

/** Capitals come before small letters in texts, and after them in `ALPN_CHARS`. */
function alpnOrder(code: number): number {
  if (code < 10) return code;
  return code < 36 ? code + 26 : code - 26;
}

function versionCode(ja4: string): number {
  const first = ja4.charCodeAt(1);
  if (first === 115) return 100 + ja4.charCodeAt(2) - ZERO;
  if (first === 100) return 110 + ja4.charCodeAt(2) - ZERO;
  return decimal(ja4, 1);
}

function decimal(text: string, at: number): number {
  return (text.charCodeAt(at) - ZERO) * 10 + text.charCodeAt(at + 1) - ZERO;
}

function alpnCode(code: number): number {
  if (code < 58) return code - ZERO;
  return code > 96 ? code - 97 + 10 : code - 65 + 36;
}

/** Four hex digits as a number. */
function hexWord(text: string, at: number): number {
  let value = 0;
  for (let i = at; i < at + 4; i++) {
    const code = text.charCodeAt(i);
    value = (value << 4) | (code < 58 ? code - ZERO : code - 87);
  }
  return value;
}

/** Two hex digits of every byte: a tick writes the keys of many fingerprints out. */
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

function hex8(word: number): string {
  return HEX[word >>> 24]! + HEX[(word >>> 16) & 255]! + HEX[(word >>> 8) & 255]! + HEX[word & 255]!;
}

function twoDigits(value: number): string {
  return value < 10 ? `0${value}` : `${value}`;
}
