/** JA4 fingerprints (FoxIO, https://github.com/FoxIO-LLC/ja4) and the pseudo fingerprints that stand in for them. */

/** A JA4, or a pseudo fingerprint (`x` + 24 hex digits). */
export const JA4_FORM =
  /^([tqd](\d\d|[sd]\d)[di]\d{4}[0-9a-zA-Z]{2}_[0-9a-f]{12}_[0-9a-f]{12}|x[0-9a-f]{24})$/;
/** A glob over fingerprints that knows `*` only, of what a fingerprint can contain. */
export const JA4_GLOB_FORM = /^[0-9a-zA-Z_*]{1,64}$/;

export function isJa4(text: string): boolean {
  return JA4_FORM.test(text);
}

/** Whether it was made from TLS facts because the zone has no JA4 (no Enterprise plan). */
export function isPseudo(ja4: string): boolean {
  return ja4.charCodeAt(0) === 120;
}

/** Compiles a glob to a test. `*` matches any run of characters; everything else itself. */
export function globTest(glob: string): (ja4: string) => boolean {
  if (!glob.includes("*")) return (ja4) => ja4 === glob;
  const parts = glob.split("*");
  const head = parts[0]!;
  const tail = parts[parts.length - 1]!;
  const middle = parts.slice(1, -1);
  // By hand instead of a regular expression: a user's glob must not be able to backtrack.
  return (ja4) => {
    if (!ja4.startsWith(head) || !ja4.endsWith(tail)) return false;
    let at = head.length;
    for (const part of middle) {
      const found = ja4.indexOf(part, at);
      if (found < 0) return false;
      at = found + part.length;
    }
    // Head, middle and tail share no character.
    return at <= ja4.length - tail.length;
  };
}
