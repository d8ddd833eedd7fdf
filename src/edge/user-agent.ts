/**
 * What a user agent says of itself: browser, bot, or neither (contract §4).
 *
 * bot = npm `isbot` (its list is kept by others, daily). browser = `Mozilla/5.0`, an engine, a known family, and not
 * a bot. Both regular expressions cost microseconds, agents repeat, so answers are kept in a small cache.
 */
import { isbot } from "isbot";

export interface UserAgentClass {
  browser: boolean;
  bot: boolean;
}

const ENGINE = /\b(?:Gecko|AppleWebKit|Trident)\b/;
const FAMILY = /\b(?:Chrome|CriOS|Chromium|Firefox|FxiOS|Safari|Edge?|EdgA|EdgiOS|OPR|Opera|MSIE|Trident)\b/;

const CACHE_MAX = 2_048;
/** Longer agents are classified each time: they are rare, and a caller could fill the memory with them. */
const CACHED_MAX_CHARS = 512;

export function classifyUserAgent(userAgent: string): UserAgentClass {
  const bot = isbot(userAgent);
  const browser =
    !bot && userAgent.startsWith("Mozilla/5.0") && ENGINE.test(userAgent) && FAMILY.test(userAgent);
  return { browser, bot };
}

/** The same behind two generations of a map: when the young one is full it becomes the old one. */
export class UserAgentClassifier {
  #young = new Map<string, UserAgentClass>();
  #old = new Map<string, UserAgentClass>();

  classify(userAgent: string): UserAgentClass {
    const known = this.#young.get(userAgent) ?? this.#old.get(userAgent);
    const result = known ?? classifyUserAgent(userAgent);
    if (userAgent.length <= CACHED_MAX_CHARS && !this.#young.has(userAgent)) {
      if (this.#young.size >= CACHE_MAX) {
        this.#old = this.#young;
        this.#young = new Map();
      }
      this.#young.set(userAgent, result);
    }
    return result;
  }
}
