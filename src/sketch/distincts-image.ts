/** Sets in an image: their blocks as they lie in the arena, so that every handle stays what it is. */
import { ImageError, type ImageReader, type ImageWriter, layoutOf } from "../base/image.ts";
import type { Arena } from "./arena.ts";
import { SMALL_LAYOUT } from "./distincts-small.ts";
import { STAMP_SLOTS, type Stamps } from "./distincts-stamps.ts";
import { LARGE_LAYOUT } from "./pcsa-layout.ts";

const LAYOUT = layoutOf("distincts", SMALL_LAYOUT, LARGE_LAYOUT, STAMP_SLOTS);

/** `log`: of the cells of new large sets. `sizes`: sets, and large sets. */
export function writeSets(
  writer: ImageWriter,
  arena: Arena,
  { newest }: Stamps,
  log: number,
  sizes: readonly [number, number],
): void {
  writer.section(LAYOUT);
  for (const number of [log, newest, ...sizes]) writer.u32(number);
  arena.writeImage(writer);
}

/** Fills an arena that has no blocks, and stamps that know no slot; answers `sizes`. Throws an ImageError. */
export function readSets(reader: ImageReader, arena: Arena, stamps: Stamps, log: number): [number, number] {
  reader.section(LAYOUT);
  if (reader.u32() !== log) throw new ImageError("other_layout");
  stamps.note(reader.u32());
  const sizes: [number, number] = [reader.u32(), reader.u32()];
  arena.readImage(reader);
  return sizes;
}
