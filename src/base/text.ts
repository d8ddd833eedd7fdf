/** Text as bytes. */

/** Bytes of a text in UTF-8. By hand: an encoder allocates, and limits are checked with every request. */
export function utf8Length(text: string): number {
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const point = text.codePointAt(i)!;
    if (point > 0xffff) i++;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point > 0xffff ? 4 : 3;
  }
  return bytes;
}

/** Whether a text has at most `maxBytes` in UTF-8. A unit takes at most three: a third of the limit is always short enough. */
export function fitsUtf8(text: string, maxBytes: number): boolean {
  return text.length * 3 <= maxBytes || (text.length <= maxBytes && utf8Length(text) <= maxBytes);
}
