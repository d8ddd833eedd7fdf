/** Reads TypeScript sources just closely enough to say what they import and call; comments and strings don't count. */
import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";

/** Project path (`src/base/time.ts`) → text. */
export type Sources = ReadonlyMap<string, string>;

export function readSources(root: string, folders: readonly string[]): Sources {
  const found = new Map<string, string>();
  for (const folder of folders) {
    for (const entry of readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })) {
      const path = posix.join(folder, entry.replaceAll("\\", "/"));
      if (path.endsWith(".ts")) found.set(path, readFileSync(join(root, path), "utf8"));
    }
  }
  return found;
}

/** Everything that `text` imports, types included: project paths for relative names, others as they stand. */
export function importsOf(path: string, text: string): string[] {
  const code = blank(text, { strings: false });
  const bare = blank(text, { strings: true });
  const forms = [
    /\b(?:import|export)\b[^"'`;]*?\bfrom\s*["']([^"']+)["']/g,
    /\bimport\s*["']([^"']+)["']/g,
    /\bimport\s*\(\s*["'`]([^"'`]+)["'`]/g,
  ];
  const names = new Set<string>();
  for (const form of forms) {
    for (const match of code.matchAll(form)) {
      const [, name = ""] = match;
      // An import statement quoted in a string is none.
      if (!/^(?:import|export)/.test(bare.slice(match.index, match.index + 6))) continue;
      names.add(name.startsWith(".") ? posix.join(posix.dirname(path), name) : name);
    }
  }
  return [...names];
}

/** The text without comments and without what strings say, same length and lines. */
export function codeOf(text: string): string {
  return blank(text, { strings: true });
}

/** One pass over comments, strings, template literals and regular expressions. */
function blank(text: string, { strings }: { strings: boolean }): string {
  const out = [...text.split("")];
  const erase = (from: number, to: number) => {
    for (let i = from; i < to; i++) if (out[i] !== "\n") out[i] = " ";
  };
  /** Braces open inside each template's `${…}`. */
  const templates: number[] = [];
  let i = 0;
  const template = (start: number): number => {
    const end = endOfTemplate(text, start);
    if (strings) erase(start, end.at);
    if (end.hole) templates.push(0);
    return end.hole ? end.at + 2 : end.at + 1;
  };
  while (i < text.length) {
    const char = text[i] ?? "";
    if (text.startsWith("//", i) || text.startsWith("/*", i)) {
      const end = endOfComment(text, i);
      erase(i, end);
      i = end;
    } else if (char === '"' || char === "'") {
      const end = endOfString(text, i, char);
      if (strings) erase(i + 1, end - 1);
      i = end;
    } else if (char === "/" && startsRegExp(text, i)) {
      const end = endOfRegExp(text, i);
      // Quotes in it open no string; what it matches is no code.
      erase(i + 1, end - 1);
      i = end;
    } else if (char === "`") {
      i = template(i + 1);
    } else if (char === "}" && templates.at(-1) === 0) {
      templates.pop();
      i = template(i + 1);
    } else {
      const depth = templates.length - 1;
      if (depth >= 0 && char === "{") templates[depth] = (templates[depth] ?? 0) + 1;
      if (depth >= 0 && char === "}") templates[depth] = (templates[depth] ?? 0) - 1;
      i++;
    }
  }
  return out.join("");
}

function endOfComment(text: string, start: number): number {
  const line = text.startsWith("//", start);
  const end = text.indexOf(line ? "\n" : "*/", start + 2);
  if (end < 0) return text.length;
  return line ? end : end + 2;
}

function endOfString(text: string, start: number, quote: string): number {
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === quote || text[i] === "\n") return i + 1;
  }
  return text.length;
}

function endOfTemplate(text: string, start: number): { at: number; hole: boolean } {
  for (let i = start; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === "`") return { at: i, hole: false };
    else if (text.startsWith("${", i)) return { at: i, hole: true };
  }
  return { at: text.length, hole: false };
}

/** A slash divides after a value and starts a regular expression after anything else. */
function startsRegExp(text: string, at: number): boolean {
  const before = text.slice(Math.max(0, at - 20), at).trimEnd();
  return before === "" || /(?:[(,=:[!&|?{};+\-*%<>~^]|\breturn|\btypeof|\bcase)$/.test(before);
}

function endOfRegExp(text: string, start: number): number {
  let inClass = false;
  for (let i = start + 1; i < text.length; i++) {
    const char = text[i];
    if (char === "\n") return i;
    if (char === "\\") i++;
    else if (char === "[") inClass = true;
    else if (char === "]") inClass = false;
    else if (char === "/" && !inClass) return i + 1;
  }
  return text.length;
}
