/**
 * Names that an object of a JSON text has twice. JSON.parse keeps the last of two members without a word (RFC 8259 §4 leaves
 * it open what a reader does), so a setting that was written by mistake could win over the one that was meant.
 */

/** An open array or object on the way to the present place. */
interface Open {
  /** Names so far; absent in an array. */
  readonly names: Set<string> | undefined;
  /** The step below it: the last name, or the index. */
  step: string | number;
}

/**
 * The path to the first name that an object has for the second time; `undefined` when there is none. `text` has been parsed:
 * it is JSON. What lies deeper than `depthMax` levels is not looked at, so that brackets alone cost no memory.
 */
export function repeatedName(text: string, depthMax: number): (string | number)[] | undefined {
  const open: Open[] = [];
  let depth = 0;
  /** A string here is a name: an object has just opened, or a comma has ended its member. */
  let isName = false;
  for (let at = 0; at < text.length; at++) {
    const sign = text[at]!;
    if (sign === '"') {
      const start = at;
      at = stringEnd(text, start);
      const inner = open[depth - 1];
      if (!isName || inner?.names === undefined) continue;
      isName = false;
      // As it is read, not as it is spelt: an escape can hide the second one.
      inner.step = JSON.parse(text.slice(start, at + 1)) as string;
      if (inner.names.has(inner.step)) return open.map(({ step }) => step);
      inner.names.add(inner.step);
    } else if (sign === "{" || sign === "[") {
      isName = sign === "{";
      if (++depth <= depthMax) open.push({ names: isName ? new Set() : undefined, step: 0 });
    } else if (sign === "}" || sign === "]") {
      if (depth-- <= depthMax) open.pop();
      isName = false;
    } else if (sign === ",") {
      const inner = open[depth - 1];
      isName = inner?.names !== undefined;
      if (inner !== undefined && typeof inner.step === "number") inner.step++;
    }
  }
  return undefined;
}

/** Where the string that begins at `start` has its closing quote. */
function stringEnd(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at;
}
