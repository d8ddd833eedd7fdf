/**
 * What a user agent says of itself: browser, bot, or neither (contract §4), and its identity.
 *
 * bot = npm `isbot` (its list is kept by others, daily). browser = `Mozilla/5.0`, an engine, a known family, and not
 * a bot. Both regular expressions cost microseconds, agents repeat, so answers are kept.
 */
import { isbot } from "isbot";
import type { KeyedHash } from "../base/hash.ts";
import { TextCache } from "./text-cache.ts";

export interface UserAgentClass {
  readonly browser: boolean;
  readonly bot: boolean;
}

/** … with the hash that stands for it. */
export interface KnownAgent extends UserAgentClass {
  readonly hash: number;
}

const ENGINE = /\b(?:Gecko|AppleWebKit|Trident)\b/;
const FAMILY = /\b(?:Chrome|CriOS|Chromium|Firefox|FxiOS|Safari|Edge?|EdgA|EdgiOS|OPR|Opera|MSIE|Trident)\b/;

const CACHE_MAX = 2_048;
/** Longer agents are classified each time: they are rare, and a caller could fill the memory with them. */
const CACHED_MAX_CHARS = 512;
/** The end reaches the version in `Chrome/142.0.0.0 Mobile Safari/537.36`. */
const NEAR = { slots: 1_024, maxChars: CACHED_MAX_CHARS, tail: 28, spread: 4 };

export function classifyUserAgent(userAgent: string): UserAgentClass {
  const bot = isbot(userAgent);
  const browser =
    !bot && userAgent.startsWith("Mozilla/5.0") && ENGINE.test(userAgent) && FAMILY.test(userAgent);
  return { browser, bot };
}

/**
 * The same from memory: a small table that is quick to ask, and behind it two generations of a map (when the young one is
 * full it becomes the old one), since two agents that share a place in the table must not cost a classification each time.
 */
export class UserAgentClassifier {
  #near = new TextCache<KnownAgent>(NEAR);
  #young = new Map<string, KnownAgent>();
  #old = new Map<string, KnownAgent>();
  #by: KeyedHash | undefined;

  /** Class and hash of an agent, which must not be empty. */
  classify(userAgent: string, hash: KeyedHash): KnownAgent {
    if (this.#by !== hash) this.#forget(hash);
    return this.#near.get(userAgent) ?? this.#lookUp(userAgent, hash);
  }

  #lookUp(userAgent: string, hash: KeyedHash): KnownAgent {
    const known = this.#young.get(userAgent) ?? this.#old.get(userAgent);
    const agent = known ?? { ...classifyUserAgent(userAgent), hash: hash.text(userAgent) };
    if (userAgent.length > CACHED_MAX_CHARS) return agent;
    this.#near.set(userAgent, agent);
    if (this.#young.has(userAgent)) return agent;
    if (this.#young.size >= CACHE_MAX) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(userAgent, agent);
    return agent;
  }

  /** What is kept holds hashes under one key; an isolate has one, and never another. */
  #forget(hash: KeyedHash): void {
    this.#by = hash;
    this.#near = new TextCache(NEAR);
    this.#young = new Map();
    this.#old = new Map();
  }
}
