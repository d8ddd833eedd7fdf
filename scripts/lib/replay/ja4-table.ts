/**
 * JA4 values for logs that have none, so that they can be looked at per "client". They say what a client claims to be,
 * never what it is: a log without TLS facts cannot show a client that lies.
 *
 * Real values are facts of FoxIO's published mapping (ja4plus-mapping.csv of https://github.com/FoxIO-LLC/ja4; JA4 itself
 * is BSD-3-Clause). For the user agents in FAMILIES that mapping has a value; all others get a made-up one that is well
 * formed and cannot be real: TLS version 00, no cipher and no extension, and `ua` or `ip` in the place of the ALPN.
 */
import { createHash } from "node:crypto";
import type { Ja4By } from "./args.ts";

interface Family {
  readonly name: string;
  readonly form: RegExp;
  readonly ja4: string;
}

/** The first that fits. What claims to be a bot is no browser, whatever else it says. */
const BOT = /bot\b|crawl|spider|slurp|fetch|feed|compatible; (?!MSIE)/i;
const FAMILIES: readonly Family[] = [
  // Every browser on iOS is WebKit over Apple's TLS, so Chrome and Firefox are Safari there.
  {
    name: "Safari",
    form: /\((?:iPhone|iPad|iPod).*AppleWebKit\//,
    ja4: "t13d2014h2_a09f3c656075_14788d8d241b",
  },
  // Firefox's Gecko; SeaMonkey and others carry its name and its TLS.
  { name: "Firefox", form: /\bFirefox\/\d/, ja4: "t13d1715h2_5b57614c22b0_7121afd63204" },
  // The mapping's "Chromium Browser" (over TCP): Chrome, Edge since 79, Opera since 15, and their like.
  { name: "Chromium", form: /\b(?:Chrome|Chromium)\/\d/, ja4: "t13d1516h2_8daaf6152771_02713d6af862" },
  { name: "Safari", form: /\bVersion\/[\d.]+.* Safari\/\d/, ja4: "t13d2014h2_a09f3c656075_14788d8d241b" },
  // The mapping names the library, WinINET, which Internet Explorer is made of.
  { name: "Internet Explorer", form: /\bMSIE \d|\bTrident\/\d/, ja4: "t12d190800_d83cc789557e_7af1ed941c26" },
  {
    name: "Python",
    form: /^(?:python-(?:requests|urllib3?|httpx)|Python-urllib|aiohttp)\b/i,
    ja4: "t13d181000_85036bcba153_d41ae481755e",
  },
  { name: "Go", form: /^Go-http-client\//, ja4: "t13d191000_9dc949149365_e7c285222651" },
];
/** EdgeHTML and Opera's Presto carry other names, but not those browsers' TLS. */
const IMPOSTERS = /\bEdge\/1[2-8]\.|\bPresto\/|^Opera\//;

export interface Assigned {
  readonly ja4: string;
  /** What it was given for, as the output shows it. */
  readonly family: string;
  /** Of the published mapping. */
  readonly real: boolean;
}

/** By user agent; a family that the mapping lacks gets a made-up value of its name, without version numbers. */
export function ja4OfAgent(agent: string | undefined): Assigned {
  if (agent !== undefined && !BOT.test(agent) && !IMPOSTERS.test(agent)) {
    const found = FAMILIES.find(({ form }) => form.test(agent));
    if (found !== undefined) return { ja4: found.ja4, family: found.name, real: true };
  }
  const family = agent === undefined ? "no user agent" : productOf(agent);
  return { ja4: madeUp("ua", family.toLowerCase()), family, real: false };
}

/** One for each address, as it is written; one for all records without an address. */
export function ja4OfAddress(address: string | undefined): string {
  return madeUp("ip", address ?? "");
}

/** Gives a record's JA4; remembers answers, because agents repeat. */
export function ja4Giver(by: Ja4By): (fields: Readonly<Record<string, unknown>>) => Assigned {
  if (typeof by === "object") return () => ({ ja4: by.value, family: "all", real: false });
  const textOf = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);
  const field = by === "ip" ? "client_ip" : "user_agent";
  const make = (text: string | undefined): Assigned =>
    by === "ip" ? { ja4: ja4OfAddress(text), family: "addresses", real: false } : ja4OfAgent(text);
  const cache = new Map<string | undefined, Assigned>();
  return (fields) => {
    const text = textOf(fields[field]);
    let assigned = cache.get(text);
    if (assigned === undefined) {
      if (cache.size >= CACHE_MAX) cache.clear();
      assigned = make(text);
      cache.set(text, assigned);
    }
    return assigned;
  };
}
const CACHE_MAX = 10_000;

const FAMILY_MAX_CHARS = 40;

/** `Googlebot` of `Mozilla/5.0 (compatible; Googlebot/2.1; …)`, `Wget` of `Wget/1.12`. */
function productOf(agent: string): string {
  const bot = /([\w.!-]*(?:bot|crawler|spider)[\w-]*)/i.exec(agent)?.[1];
  const compatible = /compatible; ([^;)/]+)/i.exec(agent)?.[1];
  const first = /^[^/;(,\d]+/.exec(agent)?.[0];
  const name = (bot ?? compatible ?? first ?? "").trim().slice(0, FAMILY_MAX_CHARS);
  return name === "" ? "other" : name;
}

function madeUp(by: "ua" | "ip", text: string): string {
  const hex = createHash("sha256").update(`replay ${by} ${text}`).digest("hex");
  return `t00d0000${by}_${hex.slice(0, 12)}_${hex.slice(12, 24)}`;
}
