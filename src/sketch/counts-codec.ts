/**
 * A count-of-counts as bytes, between shard and Census:
 *
 *   version u8 ┊ pairs ┊ pair ┊ pair ┊ …      pair = (value − value before − 1) · 2 + (count > 1) ┊ count − 2, if > 1
 *
 * All numbers but the version are base-128 varints, lowest group first, top bit = another follows (as in Protocol Buffers,
 * https://protobuf.dev/programming-guides/encoding/#varints). The value before the first is −1. Large values are rarely
 * shared, small ones have no gaps between them, so a pair takes two bytes or three. Ascending values and counts > 0 follow
 * from the form, and a table has exactly one encoding: equal tables are equal bytes.
 */
import type { CountOfCounts } from "./count-of-counts.ts";

const VERSION = 1;
const VALUE_MAX = 2 ** 32 - 1;
/** Bound on a table's fingerprints: the sum of the largest possible number of shards' tables is still an exact double. */
const POPULATION_MAX = 2 ** 46;
/** Bytes of the largest varint here (53 bits). */
const VARINT_MAX_BYTES = 8;

/** Why bytes are no table, as a fixed code. */
export type CountsFault = "unknown_version" | "malformed";

export class CountsError extends Error {
  override readonly name = "CountsError";
  readonly fault: CountsFault;
  constructor(fault: CountsFault) {
    super(`count-of-counts refused: ${fault}`);
    this.fault = fault;
  }
}

/** A table's bytes; an array of their own. */
export function encodeCounts({ values, counts }: CountOfCounts): Uint8Array {
  const bytes = new Uint8Array(1 + (1 + 2 * values.length) * VARINT_MAX_BYTES);
  bytes[0] = VERSION;
  let at = writeVarint(bytes, 1, values.length);
  let before = -1;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    const count = counts[i]!;
    at = writeVarint(bytes, at, (value - before - 1) * 2 + (count > 1 ? 1 : 0));
    if (count > 1) at = writeVarint(bytes, at, count - 2);
    before = value;
  }
  // A call sends the whole buffer behind a view.
  return bytes.slice(0, at);
}

/** The table in bytes from anywhere. Throws a CountsError when they are none; costs their length at most. */
export function decodeCounts(bytes: Uint8Array): CountOfCounts {
  if (bytes[0] !== VERSION) throw new CountsError("unknown_version");
  const reader = new VarintReader(bytes, 1);
  const pairs = reader.next();
  // A pair takes a byte at least: what says more would make us allocate for nothing.
  if (pairs > bytes.length) throw new CountsError("malformed");
  const values = new Uint32Array(pairs);
  const counts = new Float64Array(pairs);
  let before = -1;
  let population = 0;
  for (let i = 0; i < pairs; i++) {
    const head = reader.next();
    const shared = head % 2;
    const value = before + 1 + (head - shared) / 2;
    const count = shared === 0 ? 1 : reader.next() + 2;
    population += count;
    if (value > VALUE_MAX || population > POPULATION_MAX) throw new CountsError("malformed");
    values[i] = value;
    counts[i] = count;
    before = value;
  }
  if (!reader.isAtEnd) throw new CountsError("malformed");
  return { values, counts };
}

/** Writes a whole number < 2⁵³; answers the position behind it. */
function writeVarint(bytes: Uint8Array, start: number, value: number): number {
  let at = start;
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) | 128;
  bytes[at++] = rest;
  return at;
}

class VarintReader {
  readonly #bytes: Uint8Array;
  #at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  next(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < VARINT_MAX_BYTES; i++, scale *= 128) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) break;
      value += (byte & 127) * scale;
      if (byte >= 128) continue;
      // A zero group on top would be a second way to write the same number; beyond 2⁵³ numbers are no longer exact.
      if ((byte === 0 && i > 0) || value > Number.MAX_SAFE_INTEGER) break;
      return value;
    }
    throw new CountsError("malformed");
  }
}
