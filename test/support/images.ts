/** Images as a disk holds them: each part a copy of its own, of any length. */
import { hashWords } from "../../src/base/hash.ts";
import { type ImageWriter, writeImage } from "../../src/base/image.ts";

export function partsOf(write: (writer: ImageWriter) => void, maxBytes?: number): Uint8Array<ArrayBuffer>[] {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  writeImage(write, (part) => parts.push(Uint8Array.from(part)), maxBytes);
  return parts;
}

/** The same words as an image whose links and checksums say that it is whole. */
export function sealed(parts: readonly Uint32Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer>[] {
  let link = 0;
  return parts.map((words, i) => {
    const last = words.length - 1;
    if (last >= 4) {
      words[2] = link;
      words[3] = i < parts.length - 1 ? 1 : 0;
      link = words[last] = hashWords(words, last);
    }
    return new Uint8Array(words.buffer);
  });
}

/** Parts as a disk gives them: each anew, and void as soon as the next one is asked for. */
export function stored(parts: Iterable<Uint8Array>): Iterable<Uint8Array> {
  return {
    *[Symbol.iterator]() {
      for (const part of parts) {
        const given = Uint8Array.from(part);
        yield given;
        given.buffer.transfer(0);
      }
    },
  };
}
