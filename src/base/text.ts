/** Text as bytes. */

/** Bytes of a text in UTF-8. By hand: an encoder allocates, and limits are checked with every request. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    if (unit < 0x800) {
      bytes++;
      continue;
    }
    bytes += 2;
    // A pair of surrogates is one character of four bytes; half of one is sent as U+FFFD, which has three.
    if (unit >= 0xd800 && unit < 0xdc00 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) i++;
  }
  return bytes;
}

/** Whether a text has at most `maxBytes` in UTF-8. A unit takes at most three: a third of the limit is always short enough. */
export function fitsUtf8(text: string, maxBytes: number): boolean {
  return text.length * 3 <= maxBytes || (text.length <= maxBytes && utf8Length(text) <= maxBytes);
}
