/** What `npm run mutation` prints. */

/** What of Stryker's result of a mutant is used. */
export interface Mutant {
  fileName: string;
  status: string;
  mutatorName: string;
  replacement?: string | undefined;
  location: { start: { line: number; column: number } };
}

export interface Score {
  name: string;
  mutants: number;
  /** Mutants with which a test failed or did not come to an end. */
  noticed: number;
  /** Mutants that a comment in the source leaves out. */
  ignored: number;
  /** Percent; a mutant that no test runs counts as not noticed. */
  score: number;
}

const NOTICED = new Set(["Killed", "Timeout"]);
/** No mutants at all: what cannot be loaded, and what a comment leaves out. */
const NONE = new Set(["Ignored", "CompileError"]);

/** Scores of the folders that have mutants, and of all of them together. */
export function scoresOf(mutants: readonly Mutant[], folders: readonly string[]): Score[] {
  return [...folders, "all"].flatMap((name) => {
    const all = mutants.filter(({ fileName }) => name === "all" || fileName.includes(`${name}/`));
    const valid = all.filter(({ status }) => !NONE.has(status));
    const noticed = valid.filter(({ status }) => NOTICED.has(status)).length;
    const ignored = all.filter(({ status }) => status === "Ignored").length;
    if (valid.length === 0) return [];
    return [{ name, mutants: valid.length, noticed, ignored, score: (100 * noticed) / valid.length }];
  });
}

/** A line a mutant that no test noticed: where it is and what stands there instead. */
export function survivorsOf(mutants: readonly Mutant[]): string[] {
  return mutants
    .filter(({ status }) => !NOTICED.has(status) && !NONE.has(status))
    .map(({ fileName, location, mutatorName, replacement, status }) => {
      const { line, column } = location.start;
      const text = (replacement ?? "").replaceAll(/\s+/g, " ").slice(0, 100);
      return `${fileName}:${line}:${column} ${status} ${mutatorName}: ${text}`;
    });
}
