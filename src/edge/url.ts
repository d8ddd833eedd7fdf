/** Host and path of a request's URL, by hand: a URL object costs more than all other facts together. */
import type { KeyedHash } from "../base/hash.ts";

/** What comes before a path, up to its slash (`https://www.example.com/`). */
class Origin {
  readonly prefix: string;
  /** Lower case, without user info and port. */
  readonly host: string;
  #by: KeyedHash | undefined;
  #hash = 0;

  constructor(prefix: string, host: string) {
    this.prefix = prefix;
    this.host = host;
  }

  hostHash(hash: KeyedHash): number {
    if (this.#by !== hash) {
      this.#by = hash;
      this.#hash = hash.text(this.host);
    }
    return this.#hash;
  }
}

/** Origins that an isolate remembers: mostly it has one or two. */
const ORIGINS_MAX = 8;

/** One URL at a time: `read` leaves its parts in place until the next call, so that none needs an object. */
export class UrlReader {
  #text = "";
  #origin = new Origin("", "");
  #from = 0;
  #to = 0;
  readonly #origins: Origin[] = [];
  #oldest = 0;

  read(text: string): void {
    this.#text = text;
    const known = this.#knownOrigin(text);
    if (known !== undefined) {
      this.#origin = known;
      this.#from = known.prefix.length - 1;
      this.#to = pathEnd(text, known.prefix.length);
      return;
    }
    const scheme = text.indexOf("://");
    const start = scheme + 3;
    const end = pathEnd(text, start);
    const slash = text.indexOf("/", start);
    this.#from = slash < 0 || slash >= end ? end : slash;
    this.#to = end;
    const host = hostname(text.slice(start, this.#from));
    // Without a scheme or a slash there is no beginning that other URLs could be told by.
    const prefix = scheme < 0 || this.#from === end ? "" : text.slice(0, this.#from + 1);
    this.#origin = new Origin(prefix, host);
    if (prefix !== "") this.#remember(this.#origin);
  }

  /** Lower case, without user info and port; "" where the URL has none. */
  get host(): string {
    return this.#origin.host;
  }

  /** Without query and fragment; a URL without a path means `/`. */
  get path(): string {
    return this.#from === this.#to ? "/" : this.#text.slice(this.#from, this.#to);
  }

  get pathChars(): number {
    return this.#to - this.#from;
  }

  hostHash(hash: KeyedHash): number {
    return this.#origin.hostHash(hash);
  }

  pathHash(hash: KeyedHash): number {
    return this.#from === this.#to ? hash.text("/") : hash.range(this.#text, this.#from, this.#to);
  }

  /** The current one first. `lastIndexOf` from 0 is `startsWith`, at half its price. */
  #knownOrigin(text: string): Origin | undefined {
    const current = this.#origin;
    if (current.prefix !== "" && text.lastIndexOf(current.prefix, 0) === 0) return current;
    for (const origin of this.#origins) if (text.lastIndexOf(origin.prefix, 0) === 0) return origin;
    return undefined;
  }

  #remember(origin: Origin): void {
    this.#origins[this.#oldest] = origin;
    this.#oldest = (this.#oldest + 1) % ORIGINS_MAX;
  }
}

/** Where query or fragment begin, looked for from `start`. */
function pathEnd(text: string, start: number): number {
  const query = text.indexOf("?", start);
  const end = query < 0 ? text.length : query;
  const fragment = text.indexOf("#", start);
  return fragment >= 0 && fragment < end ? fragment : end;
}

function hostname(authority: string): string {
  const host = authority.slice(authority.lastIndexOf("@") + 1);
  const colon = host.lastIndexOf(":");
  return (colon > host.lastIndexOf("]") ? host.slice(0, colon) : host).toLowerCase();
}
