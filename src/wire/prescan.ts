/**
 * One linear walk over msgpack bytes before they are unpacked (https://github.com/msgpack/msgpack/blob/master/spec.md).
 * It builds nothing, so a hostile payload costs its length at most. Refused: extension types, 0xC1, too deep, too
 * many items, too long strings, text that is not UTF-8, map keys that are no text (msgpackr throws on some of them), a
 * length that points past the end, bytes after the end.
 */

export interface PrescanLimits {
  depth: number;
  items: number;
  textBytes: number;
}

export type PrescanFault =
  | "extension"
  | "reserved"
  | "depth"
  | "items"
  | "text"
  | "utf8"
  | "key"
  | "truncated"
  | "trailing";

/** What is wrong with the payload, as a fixed code. */
export class PrescanError extends Error {
  override readonly name = "PrescanError";
  readonly fault: PrescanFault;
  constructor(fault: PrescanFault) {
    super(`msgpack: ${fault}`);
    this.fault = fault;
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

class Walk {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #limits: PrescanLimits;
  at = 0;
  #items = 0;

  constructor(bytes: Uint8Array, limits: PrescanLimits) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#limits = limits;
  }

  /** Walks one value. The recursion is bounded by `limits.depth`. */
  value(depth: number): void {
    if (depth > this.#limits.depth) throw new PrescanError("depth");
    if (++this.#items > this.#limits.items) throw new PrescanError("items");
    const type = this.#bytes[this.#take(1)]!;
    if (type <= 0x7f || type >= 0xe0 || type === 0xc0 || type === 0xc2 || type === 0xc3) return;
    if (type <= 0x8f) {
      this.#pairs(type & 15, depth);
      return;
    }
    if (type <= 0x9f) {
      this.#children(type & 15, depth);
      return;
    }
    if (type <= 0xbf) {
      this.#text(type & 31);
      return;
    }
    switch (type) {
      case 0xc1:
        throw new PrescanError("reserved");
      case 0xc4:
      case 0xc5:
      case 0xc6:
        this.#take(this.#length(type - 0xc4));
        return;
      case 0xca:
      case 0xce:
      case 0xd2:
        this.#take(4);
        return;
      case 0xcb:
      case 0xcf:
      case 0xd3:
        this.#take(8);
        return;
      case 0xcc:
      case 0xd0:
        this.#take(1);
        return;
      case 0xcd:
      case 0xd1:
        this.#take(2);
        return;
      case 0xd9:
      case 0xda:
      case 0xdb: {
        this.#text(this.#length(type - 0xd9));
        return;
      }
      case 0xdc:
      case 0xdd: {
        this.#children(this.#length(type - 0xdb), depth);
        return;
      }
      case 0xde:
      case 0xdf: {
        this.#pairs(this.#length(type - 0xdd), depth);
        return;
      }
      default:
        throw new PrescanError("extension");
    }
  }

  /** Number of elements when an array starts here; -1 when something else does. Moves behind the header. */
  arrayHeader(): number {
    const type = this.#bytes[this.#take(1)]!;
    if (type >= 0x90 && type <= 0x9f) return type & 15;
    if (type === 0xdc || type === 0xdd) return this.#length(type - 0xdb);
    return -1;
  }

  atEnd(): boolean {
    return this.at === this.#bytes.length;
  }

  #children(count: number, depth: number): void {
    // Every child takes a byte at least, so a count past the end is refused before the walk.
    if (count > this.#bytes.length - this.at) throw new PrescanError("truncated");
    for (let i = 0; i < count; i++) this.value(depth + 1);
  }

  #pairs(count: number, depth: number): void {
    if (2 * count > this.#bytes.length - this.at) throw new PrescanError("truncated");
    for (let i = 0; i < count; i++) {
      const type = this.#bytes[this.at] ?? 0;
      const isText = (type >= 0xa0 && type <= 0xbf) || (type >= 0xd9 && type <= 0xdb);
      if (!isText) throw new PrescanError(this.atEnd() ? "truncated" : "key");
      this.value(depth + 1);
      this.value(depth + 1);
    }
  }

  #text(length: number): void {
    if (length > this.#limits.textBytes) throw new PrescanError("text");
    const bytes = this.#bytes;
    const start = this.#take(length);
    for (let i = start; i < this.at; i++) {
      if (bytes[i]! < 0x80) continue;
      try {
        utf8.decode(bytes.subarray(start, this.at));
      } catch {
        throw new PrescanError("utf8");
      }
      return;
    }
  }

  /** The length field that follows a header byte: 1, 2 or 4 bytes for size 0, 1, 2. */
  #length(size: number): number {
    const at = this.#take(1 << size);
    if (size === 0) return this.#view.getUint8(at);
    return size === 1 ? this.#view.getUint16(at) : this.#view.getUint32(at);
  }

  /** Moves on; answers where the bytes taken start. */
  #take(count: number): number {
    const start = this.at;
    if (count > this.#bytes.length - start) throw new PrescanError("truncated");
    this.at = start + count;
    return start;
  }
}

/** Refuses bytes that are not exactly one harmless value. Throws `PrescanError`. */
export function prescan(bytes: Uint8Array, limits: PrescanLimits): void {
  const walk = new Walk(bytes, limits);
  walk.value(0);
  if (!walk.atEnd()) throw new PrescanError("trailing");
}

/**
 * Start offsets of the elements of a top-level array, with the end as one more entry; `undefined` when the value is
 * no array. `limits.items` holds for each element. Throws `PrescanError`.
 */
export function prescanArray(
  bytes: Uint8Array,
  limits: PrescanLimits,
  elementsMax: number,
): Uint32Array | undefined {
  const header = new Walk(bytes, limits);
  const count = header.arrayHeader();
  if (count < 0) return undefined;
  if (count > bytes.length - header.at) throw new PrescanError("truncated");
  // One more than allowed is enough for the caller to see that there are too many.
  const known = Math.min(count, elementsMax + 1);
  const offsets = new Uint32Array(known + 1);
  let at = header.at;
  for (let i = 0; i < known; i++) {
    offsets[i] = at;
    const element = new Walk(bytes.subarray(at), limits);
    element.value(1);
    at += element.at;
  }
  offsets[known] = at;
  if (known === count && at !== bytes.length) throw new PrescanError("trailing");
  return offsets;
}
