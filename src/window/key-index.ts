/**
 * Which record belongs to which fingerprint: open addressing with linear probing (Knuth, TAOCP 3, 6.4 L), one word a
 * place: id + 1 (20 bits) and 12 bits of the key's hash, so that nearly every comparison of keys is one that succeeds.
 * Any capacity will do (place = hash · capacity / 2³²), so it grows by a quarter and wastes little.
 */
import { ImageError, type ImageReader, type ImageWriter, layoutOf } from "../base/image.ts";

const FIRST_CAPACITY = 64;
const ID_BITS = 20;
const ID_MASK = (1 << ID_BITS) - 1;
const LOAD_MAX = 0.85;
const GROWTH = 1.25;

const LAYOUT = layoutOf("key-index", ID_BITS);

/** More fingerprints than this have ids that do not fit a place. */
export const INDEX_IDS_MAX = ID_MASK - 16;

export class KeyIndex {
  readonly #hashOf: (id: number) => number;
  readonly #isKeyOf: (id: number, keys: Uint32Array, at: number) => boolean;
  #places = new Uint32Array(FIRST_CAPACITY);
  #size = 0;

  /** `hashOf`: the hash that an id was put in with. `isKeyOf`: whether the key at `keys[at …]` is the id's. */
  constructor(
    hashOf: (id: number) => number,
    isKeyOf: (id: number, keys: Uint32Array, at: number) => boolean,
  ) {
    this.#hashOf = hashOf;
    this.#isKeyOf = isKeyOf;
  }

  get byteLength(): number {
    return this.#places.byteLength;
  }

  /** The id of a key with this hash; −1 = none. */
  find(hash: number, keys: Uint32Array, keyAt: number): number {
    const places = this.#places;
    const tag = hash << ID_BITS;
    for (let at = this.#home(hash); ; at = at + 1 === places.length ? 0 : at + 1) {
      const place = places[at]!;
      if (place === 0) return -1;
      const id = (place & ID_MASK) - 1;
      if (((place ^ tag) & ~ID_MASK) === 0 && this.#isKeyOf(id, keys, keyAt)) return id;
    }
  }

  /** Adds an id that is not there. */
  add(id: number, hash: number): void {
    if (this.#size + 1 > this.#places.length * LOAD_MAX)
      this.#resize(Math.ceil(this.#places.length * GROWTH));
    this.#put(id, hash);
    this.#size++;
  }

  /** Takes an id out; its record must still be there. */
  remove(id: number): void {
    const places = this.#places;
    const capacity = places.length;
    let hole = this.#home(this.#hashOf(id));
    while ((places[hole]! & ID_MASK) !== id + 1) hole = hole + 1 === capacity ? 0 : hole + 1;
    // Entries behind the hole move up unless that puts them before their home (algorithm R).
    for (let at = hole; ; ) {
      at = at + 1 === capacity ? 0 : at + 1;
      const place = places[at]!;
      if (place === 0) break;
      const home = this.#home(this.#hashOf((place & ID_MASK) - 1));
      const stays = hole <= at ? hole < home && home <= at : hole < home || home <= at;
      if (stays) continue;
      places[hole] = place;
      hole = at;
    }
    places[hole] = 0;
    this.#size--;
    if (capacity > FIRST_CAPACITY && this.#size < capacity / 4)
      this.#resize(Math.max(FIRST_CAPACITY, capacity >>> 1));
  }

  writeImage(writer: ImageWriter): void {
    writer.section(LAYOUT);
    writer.u32(this.#size);
    writer.words(this.#places);
  }

  /** Throws an ImageError. */
  readImage(reader: ImageReader): void {
    reader.section(LAYOUT);
    this.#size = reader.u32();
    const places = reader.words();
    // Without a free place a search would not end.
    if (places.length < FIRST_CAPACITY || this.#size > places.length * LOAD_MAX)
      throw new ImageError("malformed");
    this.#places = places.slice();
  }

  #home(hash: number): number {
    return Math.floor((hash / 0x100000000) * this.#places.length);
  }

  #put(id: number, hash: number): void {
    const places = this.#places;
    let at = this.#home(hash);
    while (places[at] !== 0) at = at + 1 === places.length ? 0 : at + 1;
    places[at] = ((hash << ID_BITS) | (id + 1)) >>> 0;
  }

  #resize(capacity: number): void {
    const old = this.#places;
    this.#places = new Uint32Array(capacity);
    for (const place of old) {
      if (place === 0) continue;
      const id = (place & ID_MASK) - 1;
      this.#put(id, this.#hashOf(id));
    }
  }
}
