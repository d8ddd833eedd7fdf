/**
 * The fingerprints of a shard, as records under small ids that are given out again:
 *
 *   words 0–3   the first four words of its key (wire/key.ts)
 *   word 4      link 22 · requests held as rows 5 · in full 1 · the key's ALPN bits 4        (from bit 0 up)
 *   words 5, 6  first and last request, ms after an origin that moves every few weeks
 *
 * What a fingerprint did is kept in one of two forms: `rows` (its few requests as they came, linked from `link`) or in
 * full (`link` = its index in tracked.ts). The index from key to id is hashed with a secret: JA4s are chosen by clients.
 */
import { mix32 } from "../base/hash.ts";
import { type ImageReader, type ImageWriter, layoutOf } from "../base/image.ts";
import { KEY_WORDS, packKey, textOrder, unpackKey } from "../wire/key.ts";
import { KeyIndex } from "./key-index.ts";
import { Records } from "./records.ts";

const STRIDE = 7;
const PAGE_BITS = 10;
const LINK_WORD = 4;
const FIRST_WORD = 5;
const LAST_WORD = 6;

const LINK_MASK = (1 << 22) - 1;
const ROWS_SHIFT = 22;
const ROWS_MASK = 31;
const IN_FULL = 1 << 27;
const ALPN_SHIFT = 28;
/** All of the link word but the ALPN bits. */
const FORM_MASK = (1 << ALPN_SHIFT) - 1;

/** Requests without a JA4 are tallied under this id, … */
export const WITHOUT_JA4 = 0;
/** … those of fingerprints that there was no room for under this one: counted, not told apart, … */
export const OVERFLOW = 1;
/** … and all requests, those two included, under this one. */
export const EVERYTHING = 2;
/** The first id of a real fingerprint. */
export const FIRST_ID = 3;

const ORIGIN_BACK_MS = 2 ** 31;
const ORIGIN_MOVES_MS = 2 ** 32 - 2 ** 27;

const LAYOUT = layoutOf(
  "fingerprints",
  ...[KEY_WORDS, LINK_WORD, FIRST_WORD, LAST_WORD, ROWS_SHIFT, ROWS_MASK, IN_FULL, ALPN_SHIFT],
  ...[WITHOUT_JA4, OVERFLOW, EVERYTHING, FIRST_ID, ORIGIN_BACK_MS, ORIGIN_MOVES_MS],
);

export class Fingerprints {
  readonly #records = new Records(STRIDE, PAGE_BITS);
  readonly #index = new KeyIndex(
    (id) => this.tag(id),
    (id, keys, at) => this.#isKeyOf(id, keys, at),
  );
  readonly #seed: number;
  readonly #key = new Uint32Array(KEY_WORDS);
  #originMs = 0;

  /** `seed`: 32 bits that clients do not know. */
  constructor(seed: number) {
    this.#seed = seed;
    for (let id = 0; id < FIRST_ID; id++) this.#records.alloc();
  }

  /** Live fingerprints. */
  get size(): number {
    return this.#records.size - FIRST_ID;
  }

  /** One more than the highest id in use. */
  get idEnd(): number {
    return this.#records.end;
  }

  get byteLength(): number {
    return this.#records.byteLength;
  }

  get indexByteLength(): number {
    return this.#index.byteLength;
  }

  /** Live fingerprints by id. */
  *ids(): Generator<number> {
    for (let id = FIRST_ID; id < this.#records.end; id++) if (this.isLive(id)) yield id;
  }

  isLive(id: number): boolean {
    // A live one has rows or is in full: its link is never bare.
    return (
      id < this.#records.end && (this.#word(id, LINK_WORD) & (IN_FULL | (ROWS_MASK << ROWS_SHIFT))) !== 0
    );
  }

  id(ja4: string): number | undefined {
    if (ja4 === "" || !packKey(ja4, this.#key, 0)) return undefined;
    const id = this.find(this.hashOf(this.#key, 0), this.#key, 0);
    return id < 0 ? undefined : id;
  }

  ja4(id: number): string {
    this.copyKey(id, this.#key);
    return unpackKey(this.#key, 0);
  }

  /** Where its first part stands in the order of texts (wire/key.ts); equal ones are in the order of their tails. */
  headOrder(id: number): number {
    return textOrder(this.#word(id, 0), this.#word(id, LINK_WORD) >>> ALPN_SHIFT);
  }

  /** Below 0 when the rest of its text comes before that of the key at `keys[at …]`, 0 when they are the same. */
  compareTail(id: number, keys: Uint32Array, at: number): number {
    const page = this.#records.page(id);
    const record = this.#records.at(id);
    for (let word = 1; word < 4; word++) {
      const difference = page[record + word]! - keys[at + word]!;
      if (difference !== 0) return difference;
    }
    return 0;
  }

  /** Whether its text comes before another's, whose `headOrder` is the same. */
  isTailBefore(id: number, other: number): boolean {
    return this.compareTail(id, this.#records.page(other), this.#records.at(other)) < 0;
  }

  /** Writes a fingerprint's key to the front of `key`. */
  copyKey(id: number, key: Uint32Array): void {
    const page = this.#records.page(id);
    const at = this.#records.at(id);
    for (let word = 0; word < 4; word++) key[word] = page[at + word]!;
    key[4] = 1 | ((page[at + LINK_WORD]! >>> ALPN_SHIFT) << 1);
  }

  /** 32 bits that tell whether an id still belongs to the same fingerprint. */
  tag(id: number): number {
    const page = this.#records.page(id);
    const at = this.#records.at(id);
    return this.#hash(page, at, (page[at + LINK_WORD]! >>> ALPN_SHIFT) & 15);
  }

  /** Hash of a key, as `tag` of its record. */
  hashOf(keys: Uint32Array, at: number): number {
    return this.#hash(keys, at, keys[at + 4]! >>> 1);
  }

  /** Id of the key at `keys[at …]` with this hash; −1 when it has none. */
  find(hash: number, keys: Uint32Array, at: number): number {
    return this.#index.find(hash, keys, at);
  }

  /** A new id for a key that has none. */
  add(hash: number, keys: Uint32Array, at: number, seenMs: number): number {
    const id = this.#records.alloc();
    const page = this.#records.page(id);
    const record = this.#records.at(id);
    for (let word = 0; word < 4; word++) page[record + word] = keys[at + word]!;
    page[record + LINK_WORD] = (keys[at + 4]! >>> 1) << ALPN_SHIFT;
    page[record + FIRST_WORD] = this.#toTime(seenMs);
    page[record + LAST_WORD] = page[record + FIRST_WORD]!;
    this.#index.add(id, hash);
    return id;
  }

  remove(id: number): void {
    this.#index.remove(id);
    this.#records.release(id);
  }

  /** Takes note of a request's time. */
  seen(id: number, ms: number): void {
    const page = this.#records.page(id);
    const record = this.#records.at(id);
    const time = this.#toTime(ms);
    if (time < page[record + FIRST_WORD]!) page[record + FIRST_WORD] = time;
    if (time > page[record + LAST_WORD]!) page[record + LAST_WORD] = time;
  }

  firstSeenMs(id: number): number {
    return this.#originMs + this.#word(id, FIRST_WORD);
  }

  lastSeenMs(id: number): number {
    return this.#originMs + this.#word(id, LAST_WORD);
  }

  isInFull(id: number): boolean {
    return (this.#word(id, LINK_WORD) & IN_FULL) !== 0;
  }

  /** Requests held as rows. */
  rows(id: number): number {
    return (this.#word(id, LINK_WORD) >>> ROWS_SHIFT) & ROWS_MASK;
  }

  /** Its newest row, or its index in full. */
  link(id: number): number {
    return this.#word(id, LINK_WORD) & LINK_MASK;
  }

  setRows(id: number, newest: number, rows: number): void {
    this.#setLink(id, newest | (rows << ROWS_SHIFT));
  }

  setInFull(id: number, index: number): void {
    this.#setLink(id, index | IN_FULL);
  }

  /** Keeps times within 32 bits; call with every new time of the clock. */
  moveOrigin(nowMs: number): void {
    if (nowMs - this.#originMs < ORIGIN_MOVES_MS) return;
    const originMs = nowMs - ORIGIN_BACK_MS;
    for (let id = FIRST_ID; id < this.#records.end; id++) {
      if (!this.isLive(id)) continue;
      const page = this.#records.page(id);
      const record = this.#records.at(id);
      // A fingerprint that never paused for an hour in three weeks is as old as that.
      for (const word of [FIRST_WORD, LAST_WORD])
        page[record + word] = Math.max(0, page[record + word]! + this.#originMs - originMs);
    }
    this.#originMs = originMs;
  }

  writeImage(writer: ImageWriter): void {
    writer.section(LAYOUT);
    writer.int(this.#originMs);
    this.#records.writeImage(writer);
    this.#index.writeImage(writer);
  }

  /** Of an image whose fingerprints were kept under the same seed. Throws an ImageError. */
  readImage(reader: ImageReader): void {
    reader.section(LAYOUT);
    this.#originMs = reader.int();
    this.#records.readImage(reader);
    this.#index.readImage(reader);
  }

  #isKeyOf(id: number, keys: Uint32Array, at: number): boolean {
    const page = this.#records.page(id);
    const record = this.#records.at(id);
    return (
      page[record] === keys[at] &&
      page[record + 1] === keys[at + 1] &&
      page[record + 2] === keys[at + 2] &&
      page[record + 3] === keys[at + 3] &&
      page[record + LINK_WORD]! >>> ALPN_SHIFT === keys[at + 4]! >>> 1
    );
  }

  #toTime(ms: number): number {
    return Math.max(0, ms - this.#originMs);
  }

  #word(id: number, word: number): number {
    return this.#records.page(id)[this.#records.at(id) + word]!;
  }

  #setLink(id: number, link: number): void {
    const page = this.#records.page(id);
    const at = this.#records.at(id) + LINK_WORD;
    page[at] = (page[at]! & ~FORM_MASK) | link;
  }

  /** Murmur3 over a key's words, seeded (Appleby, https://github.com/aappleby/smhasher). */
  #hash(words: Uint32Array, at: number, alpn: number): number {
    let hash = this.#seed;
    for (let word = 0; word < 4; word++) hash = mix(hash, words[at + word]!);
    hash = mix(hash, alpn);
    return mix32(hash);
  }
}

function mix(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  const mixed = hash ^ k;
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}
