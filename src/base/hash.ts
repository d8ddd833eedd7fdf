/**
 * Hashes.
 *
 * - `KeyedHash`: HalfSipHash-1-3, 32 bits (Aumasson and Bernstein 2012, reference code halfsiphash.c). Keyed, so
 *   that nobody who does not know the key can aim collisions at a sketch or test a guess of an address offline.
 * - `shardOf`: rendezvous (highest random weight) hashing, Thaler and Ravishankar 1996.
 * - `hashWords`: checksum of 32-bit words.
 * - `sha256`: for tokens and bodies, by the platform.
 */

const SCRATCH_BYTES = 3 * 8 * 1024;

/** Keyed 32-bit hashes of strings and bytes. One instance a key; it reuses its scratch buffers, so not re-entrant. */
export class KeyedHash {
  readonly #k0: number;
  readonly #k1: number;
  readonly #encoder = new TextEncoder();
  readonly #bytes = new Uint8Array(SCRATCH_BYTES);

  /** `key`: at least 8 bytes, of which the first 8 count. */
  constructor(key: Uint8Array) {
    if (key.length < 8) throw new RangeError("a hash key needs 8 bytes");
    const view = new DataView(key.buffer, key.byteOffset, 8);
    this.#k0 = view.getInt32(0, true);
    this.#k1 = view.getInt32(4, true);
  }

  /** Hash of the text's UTF-8 bytes; what lies past 24 KiB does not count. */
  text(text: string): number {
    return this.range(text, 0, text.length);
  }

  /**
   * Hash of the UTF-8 bytes of `text.slice(from, to)`, without making that slice. Nearly all texts are ASCII: read from the
   * string itself they cost less than through an encoder, whose call alone takes as long as a path.
   */
  range(text: string, from: number, to: number): number {
    const length = Math.min(to - from, SCRATCH_BYTES);
    const end = from + length;
    const whole = from + (length & ~3);
    let v0 = this.#k0;
    let v1 = this.#k1;
    let v2 = 0x6c796765 ^ this.#k0;
    let v3 = 0x74656462 ^ this.#k1;
    let seen = 0;
    let at = from;
    // The rounds are written out, here and below: calls would double their cost.
    for (; at < whole; at += 4) {
      const c0 = text.charCodeAt(at);
      const c1 = text.charCodeAt(at + 1);
      const c2 = text.charCodeAt(at + 2);
      const c3 = text.charCodeAt(at + 3);
      seen |= c0 | c1 | c2 | c3;
      const word = c0 | (c1 << 8) | (c2 << 16) | (c3 << 24);
      v3 ^= word;
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= word;
    }
    let tail = (length & 0xff) << 24;
    for (let shift = 0; at < end; at++, shift += 8) {
      const code = text.charCodeAt(at);
      seen |= code;
      tail |= code << shift;
    }
    if (seen > 0x7f) return this.#encoded(text.slice(from, end));
    return finish(v0, v1, v2, v3, tail);
  }

  /** Hash of the first `length` bytes, at most 24 KiB. */
  bytes(bytes: Uint8Array, length: number): number {
    const whole = length & ~3;
    let v0 = this.#k0;
    let v1 = this.#k1;
    let v2 = 0x6c796765 ^ this.#k0;
    let v3 = 0x74656462 ^ this.#k1;
    let at = 0;
    for (; at < whole; at += 4) {
      const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
      v3 ^= word;
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= word;
    }
    let tail = (length & 0xff) << 24;
    for (let shift = 0; at < length; at++, shift += 8) tail |= bytes[at]! << shift;
    return finish(v0, v1, v2, v3, tail);
  }

  #encoded(text: string): number {
    return this.bytes(this.#bytes, this.#encoder.encodeInto(text, this.#bytes).written);
  }
}

/** The word with the length in its top byte, then the three finalising rounds, which take no input. */
function finish(a: number, b: number, c: number, d: number, tail: number): number {
  let v0 = a;
  let v1 = b;
  let v2 = c;
  let v3 = d;
  for (let round = 0, word = tail; round < 4; round++, word = 0) {
    if (round === 1) v2 ^= 0xff;
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  return (v1 ^ v3) >>> 0;
}

/** FNV-1a over UTF-16 code units: spreads keys over shards and tables; not keyed, not for identities. */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** Murmur3's finaliser: every input bit reaches every output bit. */
export function mix32(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/**
 * 32 bits over the first `length` words, to find torn and flipped ones; nothing for keys, and no protection from whoever can
 * write what it is a hash of. A step is a bijection of its state and of its word, so one word that differs always shows.
 * Four states in turn, or each word would wait for the one before: a multiplication takes three cycles.
 */
export function hashWords(words: Uint32Array, length: number): number {
  let [a, b, c, d] = [0x243f6a88, 0x13198a2e, 0x03707344, 0x299f31d0];
  let at = 0;
  for (const whole = length - (length % 4); at < whole; at += 4) {
    a = step32(a, words[at]!);
    b = step32(b, words[at + 1]!);
    c = step32(c, words[at + 2]!);
    d = step32(d, words[at + 3]!);
  }
  for (; at < length; at++) a = step32(a, words[at]!);
  return mix32(step32(step32(step32(step32(length, a), b), c), d));
}

function step32(state: number, word: number): number {
  const mixed = Math.imul(state ^ word, 0x9e3779b1);
  return (mixed << 15) | (mixed >>> 17);
}

/** The shard that owns `key`: the one with the highest weight, so adding a shard only moves keys to it. */
export function shardOf(key: string, shards: number, epoch: number): number {
  const base = fnv1a(key) ^ Math.imul(epoch, 0x9e3779b1);
  let best = 0;
  let bestWeight = -1;
  for (let shard = 0; shard < shards; shard++) {
    const weight = mix32(base ^ Math.imul(shard + 1, 0x85ebca77));
    if (weight > bestWeight) {
      bestWeight = weight;
      best = shard;
    }
  }
  return best;
}

export function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** SHA-256 of text (as UTF-8) or bytes. */
export async function sha256(data: string | Uint8Array): Promise<Uint8Array> {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
}

/** Whether two digests are the same, in time that depends on their length only. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}
