/** Host and path of a request's URL, by hand: a URL object costs more than all other facts together. */
import type { KeyedHash } from "../base/hash.ts";
import { TextCache } from "./text-cache.ts";

/** Where host and path are in a URL, and their hashes once somebody needed them. */
export class UrlParts {
  readonly text: string;
  /** Lower case, without user info and port. */
  readonly host: string;
  /** The path is `text.slice(pathFrom, pathTo)`; an empty range where the URL has none, which means `/`. */
  readonly pathFrom: number;
  readonly pathTo: number;
  #by: KeyedHash | undefined;
  #hostHash = 0;
  #pathHash = 0;

  constructor(text: string) {
    const start = text.indexOf("://") + 3;
    let end = text.indexOf("?", start);
    if (end < 0) end = text.length;
    const hash = text.indexOf("#", start);
    if (hash >= 0 && hash < end) end = hash;
    const slash = text.indexOf("/", start);
    const from = slash < 0 || slash >= end ? end : slash;
    this.text = text;
    this.host = hostname(text.slice(start, from));
    this.pathFrom = from;
    this.pathTo = end;
  }

  get path(): string {
    return this.pathTo === this.pathFrom ? "/" : this.text.slice(this.pathFrom, this.pathTo);
  }

  hostHash(hash: KeyedHash): number {
    if (this.#by !== hash) this.#hash(hash);
    return this.#hostHash;
  }

  pathHash(hash: KeyedHash): number {
    if (this.#by !== hash) this.#hash(hash);
    return this.#pathHash;
  }

  #hash(hash: KeyedHash): void {
    this.#by = hash;
    this.#hostHash = hash.text(this.host);
    this.#pathHash =
      this.pathTo === this.pathFrom ? hash.text("/") : hash.range(this.text, this.pathFrom, this.pathTo);
  }
}

/** Pages, images and scripts of a site are asked for again and again. Together at most 1 MiB of text. */
const KEPT_MAX = 4_096;
const KEPT_MAX_CHARS = 256;

/** Reads URLs and remembers the latest. */
export class UrlReader {
  readonly #known = new TextCache<UrlParts>(KEPT_MAX, KEPT_MAX_CHARS);

  read(text: string): UrlParts {
    const known = text === "" ? undefined : this.#known.get(text);
    if (known !== undefined) return known;
    const parts = new UrlParts(text);
    this.#known.set(text, parts);
    return parts;
  }
}

function hostname(authority: string): string {
  const host = authority.slice(authority.lastIndexOf("@") + 1);
  const colon = host.lastIndexOf(":");
  return (colon > host.lastIndexOf("]") ? host.slice(0, colon) : host).toLowerCase();
}
