/** Faults put into msgpack bytes, by a seeded draw: what a broken or hostile sender could make of something valid. */
import type { Draw } from "../../src/simulate/random.ts";
import { pack, unpack } from "../../src/wire/codec.ts";

type Bytes = Uint8Array<ArrayBufferLike>;
type Mutation = (bytes: Bytes, draw: Draw) => Bytes;

/** Headers of every family: maps, lists, texts, bins, extensions, numbers, the reserved one. */
const HEADERS = [
  ...[0x00, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9],
  ...[0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf, 0xd0, 0xd3, 0xd4, 0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde],
  ...[0xdf, 0xe0, 0xff],
];
/** Counts and lengths at which something could overflow, wrap or be allocated. */
const COUNTS = [0, 1, 15, 16, 31, 32, 255, 256, 65_535, 65_536, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
const NUMBERS = [
  ...[
    0,
    -0,
    1,
    -1,
    2,
    3,
    0.5,
    255,
    256,
    4_000,
    4_001,
    65_535,
    65_536,
    2 ** 31,
    2 ** 32,
    2 ** 53,
    8.64e15,
    1e300,
  ],
  ...[Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
];

/** Something instead of a member's value. */
function anyValue(draw: Draw, depth = 0): unknown {
  const kind = draw.int(depth < 4 ? 11 : 7);
  if (kind === 0) return draw.chance(0.5) ? null : draw.chance(0.5);
  if (kind <= 2) return NUMBERS[draw.int(NUMBERS.length)];
  if (kind <= 4) return new Uint8Array(draw.int(200)).fill(draw.int(256));
  if (kind === 5) return "x".repeat(draw.int(600));
  // Half of a surrogate pair, and a name that is special in JavaScript.
  if (kind === 6) return draw.chance(0.5) ? "\ud800" : "__proto__";
  if (kind === 7) return new Date(NUMBERS[draw.int(NUMBERS.length)]!);
  const children = Array.from({ length: draw.int(6) }, () => anyValue(draw, depth + 1));
  if (kind <= 9) return children;
  return new Map(children.map((child, i) => [i % 2 === 0 ? "k" : child, child]));
}

function put(bytes: Bytes, at: number, values: readonly number[]): Bytes {
  const copy = bytes.slice();
  for (let i = 0; i < values.length && at + i < copy.length; i++) copy[at + i] = values[i]!;
  return copy;
}

function bigEndian(value: number, width: number): number[] {
  return Array.from({ length: width }, (_, i) => (value / 2 ** (8 * (width - 1 - i))) & 0xff);
}

const flipBits: Mutation = (bytes, draw) => {
  const copy = bytes.slice();
  for (let flips = 1 + draw.int(8); flips > 0; flips--) {
    const at = draw.int(copy.length);
    copy[at] = copy[at]! ^ (1 << draw.int(8));
  }
  return copy;
};

const truncate: Mutation = (bytes, draw) => bytes.slice(0, draw.int(bytes.length));

const append: Mutation = (bytes, draw) => {
  const longer = new Uint8Array(bytes.length + 1 + draw.int(20));
  longer.set(bytes);
  return longer.fill(draw.int(256), bytes.length);
};

const swapType: Mutation = (bytes, draw) =>
  put(bytes, draw.int(bytes.length), [HEADERS[draw.int(HEADERS.length)]!]);

/** A header with a count or length of its own, anywhere: huge ones mostly. */
const changeLength: Mutation = (bytes, draw) => {
  const wide = [0xc6, 0xc9, 0xdb, 0xdd, 0xdf][draw.int(5)]!;
  const middle = [0xc5, 0xc8, 0xda, 0xdc, 0xde][draw.int(5)]!;
  const [header, width] = draw.chance(0.5) ? [wide, 4] : [middle, 2];
  const count = COUNTS[draw.int(COUNTS.length)]!;
  // At the start as often as elsewhere: that is where the walk begins.
  const at = draw.chance(0.2) ? 0 : draw.int(bytes.length);
  return put(bytes, at, [header, ...bigEndian(count, width)]);
};

/** The length field of a bin or text that is there, made a little or much different. */
const nudgeLength: Mutation = (bytes, draw) => {
  const start = draw.int(bytes.length);
  for (let i = 0; i < bytes.length; i++) {
    const at = (start + i) % bytes.length;
    const width = [0xc4, 0xc5, 0xc6].indexOf(bytes[at]!);
    if (width < 0) continue;
    const field = at + (1 << width);
    return put(bytes, field, [((bytes[field] ?? 0) + (draw.chance(0.5) ? 1 + draw.int(8) : 255)) & 0xff]);
  }
  return bytes;
};

const moveBytes: Mutation = (bytes, draw) => {
  const copy = bytes.slice();
  const from = draw.int(bytes.length);
  return copy.copyWithin(draw.int(bytes.length), from, from + 1 + draw.int(64));
};

const nest: Mutation = (bytes, draw) => {
  const depth = 1 + draw.int(draw.chance(0.1) ? 20_000 : 8);
  const nested = new Uint8Array(bytes.length + depth).fill(draw.chance(0.5) ? 0x91 : 0x81);
  nested.set(bytes, depth);
  return nested;
};

const noise: Mutation = (_, draw) => {
  const bytes = new Uint8Array(draw.int(200));
  for (let i = 0; i < bytes.length; i++) bytes[i] = draw.int(256);
  return bytes;
};

/** With the members of a map as they are meant to be, and one of them something else. */
function onMap(change: (map: Record<string, unknown>, name: string, draw: Draw) => void): Mutation {
  return (bytes, draw) => {
    // A copy: the columns are views on what was unpacked, and what is valid must stay so.
    const map = unpack(bytes.slice()) as Record<string, unknown>;
    const names = Object.keys(map);
    change(map, names[draw.int(names.length)]!, draw);
    return pack(map);
  };
}

const replaceMember = onMap((map, name, draw) => {
  map[name] = anyValue(draw);
});

const dropMember = onMap((map, name) => {
  delete map[name];
});

const addMember = onMap((map, _, draw) => {
  map[draw.chance(0.5) ? "__proto__x" : "filler"] = anyValue(draw);
});

const swapMembers = onMap((map, name, draw) => {
  const names = Object.keys(map);
  const other = names[draw.int(names.length)]!;
  [map[name], map[other]] = [map[other], map[name]];
});

/** Entries of a column: what is well formed as msgpack and may be nonsense as a frame. */
const changeCells = onMap((map, _, draw) => {
  const columns = Object.values(map).filter((value) => value instanceof Uint8Array && value.length >= 8);
  if (columns.length === 0) return;
  const column = columns[draw.int(columns.length)] as Uint8Array;
  const view = new DataView(column.buffer, column.byteOffset, column.byteLength);
  for (let cells = 1 + draw.int(4); cells > 0; cells--) {
    const at = draw.int(column.length - 7);
    const value = NUMBERS[draw.int(NUMBERS.length)]!;
    const width = draw.int(4);
    if (width === 0) view.setUint8(at, draw.int(256));
    else if (width === 1) view.setUint16(at & ~1, value, true);
    else if (width === 2) view.setUint32(at & ~3, value, true);
    else view.setFloat64(at & ~7, value, true);
  }
});

/** Numbers in lists, which say how much of something there is. */
const changeSizes = onMap((map, _, draw) => {
  const lists = Object.values(map).filter((value) => Array.isArray(value) && value.length > 0);
  if (lists.length === 0) return;
  const list = lists[draw.int(lists.length)] as unknown[];
  list[draw.int(list.length)] = draw.chance(0.7) ? draw.int(12) : NUMBERS[draw.int(NUMBERS.length)];
});

const MUTATIONS: readonly Mutation[] = [
  ...[flipBits, flipBits, truncate, append, swapType, changeLength, nudgeLength, moveBytes, nest, noise],
  ...[replaceMember, dropMember, addMember, swapMembers, changeCells, changeCells, changeSizes],
];

/** The bytes of a msgpack map with one fault, now and then none or several. */
export function mutate(bytes: Uint8Array, draw: Draw): Uint8Array {
  if (draw.chance(0.02)) return bytes;
  let mutated = MUTATIONS[draw.int(MUTATIONS.length)]!(bytes, draw);
  // Further faults are put into the bytes: they may be no map any more.
  while (mutated.length > 0 && draw.chance(0.2)) mutated = MUTATIONS[draw.int(8)]!(mutated, draw);
  return mutated;
}
